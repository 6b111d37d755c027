"""Limits of log-ins: failures per address and per user, and password hashes at the same time.

django-axes counts failures in Redis, so all web processes share the counts and old ones expire. It
refuses an attempt before the password is hashed.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.http import HttpRequest

from chat.addresses import network_of

# A hash takes most of a second of one core. Further attempts wait for it, and they hold a thread.
HASHES_AT_ONCE = 1
MAX_WAITING = 8
WAIT_S = 5.0

_hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)
_waiting = threading.BoundedSemaphore(HASHES_AT_ONCE + MAX_WAITING)


class TooManyLogins(Exception):
    """This process checks as many passwords as it may."""


class CountSerializer:
    """Stores counts as digits. Django's own serializer would unpickle what it finds in Redis."""

    def dumps(self, count: int) -> int:
        """Return what Redis stores."""
        return count

    def loads(self, stored: bytes) -> int:
        """Return a stored count."""
        return int(stored)


def counted_user(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the user name under which failures are counted.

    django-axes hashes names and addresses into keys of one form. Without the prefix, failures for
    a user called 192.0.2.1 would lock out that address.
    """
    source = credentials if credentials is not None else request.POST
    return f"user:{source.get('username') or ''}"


def is_locked(request: HttpRequest) -> bool:
    """Return whether the address or the user of a log-in form has failed too often."""
    credentials = {"username": request.POST.get("username", "")}
    return not AxesProxyHandler.is_allowed(request, credentials)


def unlock(*, user: str | None = None, address: str | None = None) -> None:
    """Forget the failures of a user or of an address."""
    network = network_of(address) if address else None
    AxesProxyHandler.reset_attempts(username=f"user:{user}" if user else None, ip_address=network)


@contextmanager
def hashing_slot() -> Iterator[None]:
    """Check one password at a time; raises TooManyLogins if too many wait or it takes too long.

    Hashing releases the interpreter, so the event loop goes on; but a flood of log-ins would take
    every core from it.
    """
    if not _waiting.acquire(blocking=False):
        raise TooManyLogins
    try:
        if not _hashing.acquire(timeout=WAIT_S):
            raise TooManyLogins
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _waiting.release()
