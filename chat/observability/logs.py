"""Log lines that say whom they are about, and never what was said or with which token.

Every line carries the session (its id, which is no token) and the message it belongs to: set where
a frame comes in and where a worker takes a message, they follow the code into whatever it calls.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_session: ContextVar[str | None] = ContextVar("session", default=None)
_message: ContextVar[str | None] = ContextVar("message", default=None)

# What third parties put into their lines: a query with a token, the password in an address.
_SECRETS = (
    (re.compile(r"(token[=.:]\s*)[\w%.-]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(bearer\s+)[^\s'\"]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\w+://)[^\s/@]*:[^\s@]*@"), r"\1***@"),
)


@contextmanager
def log_context(*, session: str | None = None, message: str | None = None) -> Iterator[None]:
    """Name the session, or the message in it, that all lines of the block are about."""
    variable, value = (_session, session) if session else (_message, message)
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


def set_log_session(session: str) -> None:
    """Name the session that all lines of this asyncio task, and of tasks it begins, are about."""
    _session.set(session)


class About(logging.Filter):
    """Notes on a record whom it is about, while the code that logs it still runs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.session, record.message_id = _session.get(), _message.get()
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `text`, and what is known of `session`,
    `message`, `facts`, `exception`. Nothing else of a record, because libraries hang requests and
    frames on theirs.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "text": record.getMessage(),
            "session": getattr(record, "session", None),
            "message": getattr(record, "message_id", None),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        line = json.dumps({name: value for name, value in told.items() if value is not None})
        return redact(line)


class ReadableLines(logging.Formatter):
    """One line for a person, with the beginnings of the ids."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 logging's name
        """Return the line without its traceback."""
        ids = (getattr(record, name, None) for name in ("session", "message_id"))
        known = [f"[{'/'.join(identity[:8] for identity in ids if identity)}]"]
        facts = [f"{name}={value}" for name, value in getattr(record, "facts", {}).items()]
        return " ".join(
            [super().formatMessage(record), *(known if known != ["[]"] else []), *facts]
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and, below it, the traceback."""
        return redact(super().format(record))


def redact(text: str) -> str:
    """Return a text without tokens and passwords as they stand in addresses and headers."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
