"""uvicorn's HTTP protocol with a deadline for requests.

uvicorn waits for ever for the rest of a request, so connections that send a byte now and then would
accumulate. `uvicorn --http chatproject.uvicorn_http:DeadlineH11Protocol` uses this class.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from chatproject import accept_errors
from chatproject.request_limits import REQUEST_TIMEOUT_S

INCOMPLETE = (h11.IDLE, h11.SEND_BODY)


class DeadlineH11Protocol(H11Protocol):
    """Drops a connection whose request is not complete after REQUEST_TIMEOUT_S."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline: a client that connects has something to send."""
        super().connection_made(transport)
        self._start_deadline()
        accept_errors.log_once(self.loop)
        if not accept_errors.admit(transport, transport.get_extra_info("socket").fileno()):
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Start the deadline at the first byte of a request, and stop it at the last one."""
        self._start_deadline()
        super().data_received(data)
        if self.conn.their_state not in INCOMPLETE:
            self._stop_deadline()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Stop the deadline: the connection is a WebSocket from here on."""
        self._stop_deadline()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline."""
        self._stop_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Stop the deadline, which a request that was refused early has left."""
        self._stop_deadline()
        super().on_response_complete()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self._expire)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        transport: Any = self.transport
        transport.abort()
