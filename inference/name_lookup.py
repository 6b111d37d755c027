"""Finding a server's addresses without being held up by a name server."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

from inference.call import Call

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class _Lookup:
    """One `getaddrinfo`, which cannot be interrupted, in a thread that can be left behind."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._addresses: Sequence[Address] | None = None
        self._failure: OSError | None = None
        self._is_over = threading.Event()

    def run(self) -> None:
        try:
            self._addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._failure = error if isinstance(error, OSError) else socket.gaierror(str(error))
        finally:
            self._is_over.set()

    def wait(self, timeout_s: float) -> Sequence[Address]:
        self._is_over.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        if self._addresses is None:
            raise TimeoutError
        return self._addresses

    def interrupt(self) -> None:
        self._is_over.set()

    def close(self) -> None:
        """Leave the thread to itself; it ends when the name server has answered."""


def resolve(host: str, port: int, call: Call, timeout_s: float) -> Sequence[Address]:
    """Return the addresses of `host`. Raises OSError; TimeoutError after `timeout_s`."""
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    lookup = _Lookup(host, port)
    threading.Thread(target=lookup.run, name="model-lookup", daemon=True).start()
    call.attach(lookup)
    try:
        return lookup.wait(call.within(timeout_s))
    finally:
        call.check()
