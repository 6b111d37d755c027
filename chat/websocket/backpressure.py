"""Backpressure and abort, which ASGI does not offer, on daphne and uvicorn alike.

A client may read more slowly than it is sent frames, or send faster than its frames are handled.
Both servers' `send` leads to the protocol object that knows how many bytes are unsent. On any other
server a connection counts as keeping up.
"""

import asyncio
from functools import partial
from typing import Any

# Below the 64 KiB at which uvicorn's `send` starts to wait; daphne's never waits.
MAX_UNSENT_BYTES = 48 * 1024
MAX_UNHANDLED_FRAMES = 256
NO_PROGRESS_S = 20.0
CLOSE_TIMEOUT_S = 2.0
POLL_S = 0.05


class ClientNotReading(Exception):
    """The client does not read, or sends far more than can be handled."""


class ClientConnection:
    """The server's connection to one client."""

    def __init__(self, receive: Any, send: Any) -> None:
        # daphne passes functools.partial(protocol.handle_reply, …), uvicorn a bound method.
        self._protocol: Any = send.args[0] if isinstance(send, partial) else _owner(send)
        self._transport: Any = getattr(self._protocol, "transport", None)
        self._unhandled_frames = getattr(_owner(receive), "qsize", lambda: 0)
        self._now = asyncio.get_running_loop().time
        self._least_bytes, self._progress_at = 0, 0.0

    def is_congested(self) -> bool:
        """Return whether so much is unsent that nothing should be added.

        Raises ClientNotReading if the client has read none of it for NO_PROGRESS_S.
        """
        unsent, now = self._unsent_bytes(), self._now()
        if unsent < MAX_UNSENT_BYTES:
            self._least_bytes = 0
            return False
        if not self._least_bytes or unsent < self._least_bytes:
            self._least_bytes, self._progress_at = unsent, now
        elif now - self._progress_at > NO_PROGRESS_S:
            raise ClientNotReading
        return True

    async def wait_until_writable(self) -> None:
        """Wait while the connection is congested; raises ClientNotReading."""
        while self.is_congested():
            self.check_unhandled()
            await asyncio.sleep(POLL_S)

    def check_unhandled(self) -> None:
        """Raise ClientNotReading if daphne holds more frames than will be handled.

        uvicorn stops reading from the client until a frame is handled.
        """
        if self._unhandled_frames() > MAX_UNHANDLED_FRAMES:
            raise ClientNotReading

    def is_disconnected(self) -> bool:
        """Return whether the client has left already, if the server is daphne."""
        is_open = getattr(self._protocol, "STATE_OPEN", None)
        if is_open is not None:
            return bool(self._protocol.state != is_open)
        return bool(getattr(self._protocol, "_disconnected", False))

    def abort(self) -> None:
        """Drop the connection at once, with everything unsent and unread."""
        for name in ("abort", "abortConnection"):  # asyncio's transport and Twisted's
            if abort := getattr(self._transport, name, None):
                abort()

    def abort_soon(self) -> None:
        """Drop the connection after a close frame, if the client has not closed it by then.

        Until it does, both servers go on reading what it sends, uvicorn for ten seconds.
        """
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    def _unsent_bytes(self) -> int:
        transport = self._transport
        if hasattr(transport, "get_write_buffer_size"):
            return int(transport.get_write_buffer_size())
        if hasattr(transport, "dataBuffer"):  # Twisted's FileDescriptor has no public method for it
            return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
        return 0


def _owner(method: Any) -> Any:
    return getattr(method, "__self__", None)
