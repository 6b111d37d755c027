"""What ASGI has no word for, the same on daphne and uvicorn: how a client keeps up.

How much of what it was sent it has not read yet, how many of its own frames wait to be read, and
how to cut it off. Both servers' `send` leads to the protocol that knows; on any other server a
connection counts as empty.
"""

import asyncio
from functools import partial
from typing import Any

# Below the 64 KiB at which uvicorn's `send` begins to wait; daphne's never waits.
FULL_BYTES = 48 * 1024
MAX_UNREAD_FRAMES = 256
NO_PROGRESS_S = 20.0
POLL_S = 0.05


class ClientNotReading(Exception):
    """The client does not read, or sends far more than is read of it."""


class Connection:
    """One client's connection to the server."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._protocol: Any = send.args[0] if isinstance(send, partial) else _owner(send)
        self._transport: Any = getattr(self._protocol, "transport", None)
        self._unread = getattr(_owner(receive), "qsize", lambda: 0)
        self._now = asyncio.get_running_loop().time
        self._least_bytes, self._progress_at = 0, 0.0

    def is_full(self) -> bool:
        """Tell whether the client leaves so much unread that nothing should be added.

        Raises ClientStuck where it has read nothing of that for NO_PROGRESS_S.
        """
        unsent, now = self._unsent_bytes(), self._now()
        if unsent < FULL_BYTES:
            self._least_bytes = 0
            return False
        if not self._least_bytes or unsent < self._least_bytes:
            self._least_bytes, self._progress_at = unsent, now
        elif now - self._progress_at > NO_PROGRESS_S:
            raise ClientNotReading
        return True

    async def until_read(self) -> None:
        """Wait until something can be added; raises ClientStuck."""
        while self.is_full():
            self.check_unread()
            await asyncio.sleep(POLL_S)

    def check_unread(self) -> None:
        """Raise ClientStuck where daphne has taken more frames than anyone will read.

        uvicorn takes no further frame before one is read.
        """
        if self._unread() > MAX_UNREAD_FRAMES:
            raise ClientNotReading

    def is_gone(self) -> bool:
        """Tell whether the client has left already, where the server is daphne."""
        is_open = getattr(self._protocol, "STATE_OPEN", None)
        if is_open is not None:
            return bool(self._protocol.state != is_open)
        return bool(getattr(self._protocol, "_disconnected", False))

    def cut(self) -> None:
        """End the connection at once, whatever it still holds."""
        for name in ("abort", "abortConnection"):
            if abort := getattr(self._transport, name, None):
                abort()

    def _unsent_bytes(self) -> int:
        transport = self._transport
        if hasattr(transport, "get_write_buffer_size"):
            return int(transport.get_write_buffer_size())
        if hasattr(transport, "dataBuffer"):  # Twisted's, which has no public word for it
            return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
        return 0


def _owner(method: Any) -> Any:
    return getattr(method, "__self__", None)
