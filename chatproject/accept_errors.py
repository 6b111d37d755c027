"""What web servers do if this process has too many open files, on daphne and uvicorn alike.

A connection that leaves too few files for the process itself is refused with 503. If there is none
left for a connection either, the server stops accepting for a second, and the others wait. Each
change is logged once: without this module, asyncio logs an error with a traceback up to 2,048 times
a second (https://github.com/python/cpython/issues/151615), and Twisted logs nothing.
"""

import asyncio
import logging
import time
from typing import Any

from chat.observability import open_files

logger = logging.getLogger(__name__)

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)
ACCEPT_PAUSE_S = 1.0
ASYNCIO_MESSAGE = "socket.accept() out of system resource"
# The state ends when a connection is accepted after no error for this time.
CALM_S = 5.0


class Refusals:
    """Logs when connections start to be refused, and when they are accepted again."""

    def __init__(self) -> None:
        self.count = 0
        self._last_at: float | None = None

    def refused(self, reason: str) -> None:
        """Note that a connection was not accepted."""
        if self._last_at is None:
            logger.warning("New connections are refused: %s (%d)", reason, open_files.limit())
        self.count += 1
        self._last_at = time.monotonic()

    def accepted(self) -> None:
        """Note that a connection was accepted."""
        if self._last_at is not None and time.monotonic() - self._last_at > CALM_S:
            logger.warning("New connections are accepted again; %d were refused", self.count)
            self.count, self._last_at = 0, None


refusals = Refusals()
connection_limit = open_files.connection_limit()


def admit(transport: Any, file_number: int) -> bool:
    """Return whether there are enough files for a new connection; respond with 503 if not.

    The kernel assigns the lowest free number, so a high one means that many are in use.
    """
    if file_number < connection_limit:
        refusals.accepted()
        return True
    refusals.refused("nearly as many files are open as the limit allows")
    transport.write(REFUSAL)
    return False


def log_once(loop: asyncio.AbstractEventLoop) -> None:
    """Log accept errors of an asyncio server once; the event loop pauses a second by itself."""
    loop.set_exception_handler(_log_accept_errors_once)


def _log_accept_errors_once(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if context["message"].startswith(ASYNCIO_MESSAGE):
        refusals.refused("as many files are open as the limit allows")
    else:
        loop.default_exception_handler(context)


class _AcceptErrors:
    """Stands in for the logger with which Twisted reports accept errors."""

    seen = False

    def info(self, message: str, **fields: object) -> None:
        self.seen = True
        refusals.refused("as many files are open as the limit allows")


def pause_twisted() -> None:
    """Let Twisted's listeners log accept errors once, and pause after them."""
    from twisted.internet import reactor as default_reactor
    from twisted.internet import tcp

    reactor: Any = default_reactor
    accept: Any = tcp._accept
    do_read: Any = tcp.Port.doRead
    errors = _AcceptErrors()

    def accept_quietly(logger: object, *arguments: Any) -> Any:
        return accept(errors, *arguments)

    def do_read_and_pause(self: Any) -> None:
        errors.seen = False
        do_read(self)
        if errors.seen:
            self.stopReading()
            reactor.callLater(ACCEPT_PAUSE_S, resume, self)

    def resume(port: Any) -> None:
        if port.connected:
            port.startReading()

    tcp._accept = accept_quietly
    tcp.Port.doRead = do_read_and_pause  # type: ignore[method-assign]
