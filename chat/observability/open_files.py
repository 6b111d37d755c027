"""How many files this process may have open. Every connection is one of them."""

import contextlib
import logging
import resource

logger = logging.getLogger(__name__)

# Enough for any process of a site. Some systems have a hard limit of a billion, and programs that
# close every number up to the limit before they start another one.
RAISED_LIMIT = 65_536
LOW_LIMIT = 4_096
# For Redis, the broker, the database and files, so that no request fails for want of a file.
RESERVED = 256


def raise_limit() -> None:
    """Raise the soft limit to the hard limit, but not above RAISED_LIMIT."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RAISED_LIMIT if hard == resource.RLIM_INFINITY else min(hard, RAISED_LIMIT)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has another limit per process
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit() -> int:
    """Return the soft limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return RAISED_LIMIT if soft == resource.RLIM_INFINITY else soft


def warn_if_low() -> None:
    """Log a warning if a busy process needs more files than it may open."""
    if limit() < LOW_LIMIT:
        logger.warning(
            "This process can open only %d files, and each connection is one."
            " Raise the limit (ulimit -Hn, LimitNOFILE) to %d or more",
            limit(),
            LOW_LIMIT,
        )


def connection_limit() -> int:
    """Return how many files may be open before new connections are refused."""
    return max(limit() - RESERVED, limit() // 2)


def socket_limit() -> int:
    """Return how many WebSockets may be open, so that HTTP requests are still answered."""
    return connection_limit() - limit() // 8
