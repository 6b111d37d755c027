"""HTTP calls that another thread can cancel, as a transport adapter for `requests`.

The only way to wake a thread that waits in `recv` is to shut its socket down. `requests` exposes
the socket only after the headers have arrived, so the connection class below registers it with
the call. urllib3 lets a pool use such a class through `ConnectionCls`, see
https://urllib3.readthedocs.io/en/stable/reference/urllib3.connectionpool.html.
"""

import contextlib
import http.client
import io
import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextvars import ContextVar
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError
from urllib3.response import HTTPResponse

from inference.model_errors import GenerationCancelled

# `requests` and urllib3 create and choose connections, and neither passes an argument through.
current_call: Final[ContextVar["Call"]] = ContextVar("current_call")


class Call:
    """One HTTP call. Any thread may cancel it at any moment: before, during or after it."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.received: _ReceivedBytes | None = None
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._connecting: Future[socket.socket] | None = None
        self._duplicate: socket.socket | None = None

    def cancel(self) -> None:
        """Close the connection; the thread that makes the call gets `GenerationCancelled`."""
        with self._lock:
            self._is_cancelled = True
            if self._connecting is not None:
                self._connecting.cancel()
            if self._duplicate is not None:
                with contextlib.suppress(OSError):
                    self._duplicate.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise `GenerationCancelled` if the call was cancelled."""
        if self._is_cancelled:
            raise GenerationCancelled

    def attach_connecting(self, connecting: Future[socket.socket]) -> None:
        """Let `cancel` end the wait for a connection."""
        with self._lock:
            self._connecting = connecting
        self.check()

    def attach(self, sock: socket.socket) -> None:
        """Let `cancel` shut `sock` down.

        A duplicate of the descriptor stays valid when TLS takes over the socket object, and
        never refers to another connection when the number of a closed descriptor is reused.
        """
        self.detach()
        with self._lock:
            self._duplicate = socket.socket(fileno=os.dup(sock.fileno()))
        self.check()

    def detach(self) -> None:
        """Detach the connection; a later `cancel` does not affect it."""
        with self._lock:
            duplicate, self._duplicate = self._duplicate, None
            self._connecting = None
        self.socket = None
        if duplicate is not None:
            duplicate.close()

    def has_more(self) -> bool:
        """Return whether more of the response arrived with the bytes that were read last."""
        return self.received is not None and self.received.has_more()


class _ReceivedBytes(io.RawIOBase):
    """Counts the bytes read from a socket, to detect whether the buffer above it contains more.

    `BufferedReader.peek` alone cannot tell: it reads from the socket if its buffer is empty.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._count = 0
        self.buffer: io.BufferedReader[Any] = io.BufferedReader(self)

    def has_more(self) -> bool:
        if self.closed or self._count <= self.buffer.tell():
            return False
        # A chunk's line end arrives with the chunk and does not count.
        return not self.buffer.peek().isspace()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._count += count or 0
        return count

    def tell(self) -> int:
        return self._count

    def close(self) -> None:
        super().close()
        self._raw.close()


class _CancellableConnection(HTTPConnection):
    _call: Call | None = None
    _has_responded = False
    _is_reused = False
    _tunnel_options: tuple[str, int | None, Mapping[str, str] | None, str] | None = None

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "http",
    ) -> None:
        self._tunnel_options = (host, port, headers, scheme)
        super().set_tunnel(*self._tunnel_options)

    def _new_conn(self) -> socket.socket:
        """Look up the name and connect, in a thread that can be abandoned.

        `getaddrinfo` cannot be interrupted. An abandoned thread ends at its timeout and closes its
        socket before anything is sent.
        """
        call = current_call.get()
        self._has_responded = False
        open_socket = super()._new_conn
        connecting: Future[socket.socket] = Future()
        thread = threading.Thread(target=_connect, args=(open_socket, connecting), daemon=True)
        thread.start()
        call.attach_connecting(connecting)
        timeout_s = self.timeout if isinstance(self.timeout, int | float) else 10.0
        with contextlib.suppress(CancelledError, TimeoutError):
            # The lookup has no timeout of its own; this leaves time to try a second address.
            connecting.result(2 * timeout_s)
        if connecting.cancel():
            call.check()
            raise ConnectTimeoutError(self, "the connection timed out")
        sock = connecting.result()
        try:
            call.attach(sock)
        except GenerationCancelled:
            sock.close()
            raise
        return sock

    def request(self, *args: Any, **options: Any) -> None:
        call = self._call = current_call.get()
        self._is_reused = self.sock is not None and self._has_responded
        self._repeat = (args, options, self.timeout)
        if self.sock is not None:
            call.attach(self.sock)
        super().request(*args, **options)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        """Wait for the headers; repeat the request once if a reused connection was dead.

        A server may close an idle connection at any moment, see RFC 9112, 9.3.1. urllib3 notices
        that only if it happened before the request: https://github.com/psf/requests/issues/4664.
        """
        try:
            response = self._wait_for_response()
        except ConnectionError:
            current_call.get().check()
            if not self._is_reused:
                raise
            self._repeat_request()
            response = self._wait_for_response()
        self._has_responded = True
        return response

    def _wait_for_response(self) -> HTTPResponse:
        current_call.get().socket = self.sock
        return super().getresponse()

    def _repeat_request(self) -> None:
        self.close()
        if self._tunnel_options is not None:
            self.set_tunnel(*self._tunnel_options)  # urllib3 forgets it on close
        args, options, connect_timeout = self._repeat
        read_timeout, self.timeout = self.timeout, connect_timeout
        self.request(*args, **options)
        self.timeout = read_timeout

    def response_class(  # type: ignore[override]  # http.client only calls it
        self, sock: socket.socket, **options: Any
    ) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, **options)
        received = _ReceivedBytes(response.fp.detach())
        response.fp = received.buffer
        current_call.get().received = received
        return response

    def detach_call(self) -> None:
        if self._call is not None:
            self._call.detach()


class _CancellableTlsConnection(_CancellableConnection, HTTPSConnection):
    pass


class _DetachingPool(HTTPConnectionPool):
    ConnectionCls = _CancellableConnection

    def _put_conn(self, conn: Any) -> None:
        # Detach before another call gets the connection: a late `cancel` must not close it then.
        if conn is not None:
            conn.detach_call()
        super()._put_conn(conn)


class _DetachingTlsPool(_DetachingPool, HTTPSConnectionPool):
    ConnectionCls = _CancellableTlsConnection


POOLS: Final = {"http": _DetachingPool, "https": _DetachingTlsPool}


class CancellableAdapter(HTTPAdapter):
    """Pools connections to one server; each call that uses them can be cancelled."""

    _pool: ConnectionPool | None = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use the pools above; a PoolManager keeps its own `pool_classes_by_scheme` for this."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Use the pools above for connections through a proxy, too."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Verify an https:// proxy before an http:// server, too, whose URL `requests` goes by."""
        super().cert_verify(conn, f"{conn.scheme}://", verify, cert)  # type: ignore[no-untyped-call]

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> ConnectionPool:
        """Return the one server's pool; `requests` parses the URL again to find it."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool


def _connect(open_socket: Any, connecting: Future[socket.socket]) -> None:
    try:
        sock = open_socket()
    except Exception as error:  # noqa: BLE001  # raised again in the thread that waits
        with contextlib.suppress(InvalidStateError):
            connecting.set_exception(error)
        return
    try:
        connecting.set_result(sock)
    except InvalidStateError:
        sock.close()
