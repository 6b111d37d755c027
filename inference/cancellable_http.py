"""HTTP connections that another thread can interrupt, as an adapter for `requests`.

A thread in `connect` or `recv` is woken by shutting its socket down. `requests` shows the socket
to nobody before the answer's headers are there, so the connection classes below, which urllib3
lets one replace (`ConnectionCls`), attach it to the call that runs in their thread.
"""

import contextlib
import errno
import http.client
import io
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse
from urllib3.util.wait import wait_for_write

from inference.call import Call
from inference.name_lookup import Address, resolve

_running: Final = threading.local()


class Exchange:
    """One request and its answer; the thread that entered `running` makes it."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.must_connect = False
        self.is_reused = False
        self.socket: socket.socket | None = None
        self.answer: io.BufferedReader | None = None
        self.received: _Received | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let the connections that this thread uses know which call they serve."""
        _running.exchange = self
        try:
            yield
        finally:
            del _running.exchange

    def attach(self, sock: socket.socket) -> None:
        """Wait on `sock` from now on."""
        self.socket = sock
        self.call.attach(_SocketHandle(sock))

    def has_more(self) -> bool:
        """Tell whether more of the answer came with what was read last."""
        if self.answer is None or self.received is None or self.answer.closed:
            return False
        is_buffered = self.received.count > self.answer.tell()
        # The line end behind a chunk comes with it, and says nothing.
        return is_buffered and not self.answer.peek().isspace()


class _SocketHandle:
    """A second descriptor of a socket: a number that was used again is never shut down."""

    def __init__(self, sock: socket.socket) -> None:
        self._twin = socket.socket(fileno=os.dup(sock.fileno()))

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):
            self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._twin.close()


class _Received(io.RawIOBase):
    """The bytes that came from a socket, counted before a buffer holds them."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int | None:
        count = self._raw.readinto(room)
        self.count += count or 0
        return count

    def tell(self) -> int:
        return self.count

    def close(self) -> None:
        super().close()
        self._raw.close()


class _InterruptibleHttp(HTTPConnection):
    _exchange: Exchange | None = None
    _answers_here = 0
    _unsent: bytearray | None = None

    def _new_conn(self) -> socket.socket:
        exchange: Exchange = _running.exchange
        self._answers_here = 0
        timeout_s = self.timeout if isinstance(self.timeout, int | float) else 10.0
        try:
            addresses = resolve(self._dns_host, self.port, exchange.call, timeout_s)
            return _connect_first(addresses, exchange, timeout_s)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "the connection timed out") from error
        except OSError as error:
            raise NewConnectionError(self, "the connection failed") from error

    def request(self, *args: Any, **options: Any) -> None:
        exchange: Exchange = _running.exchange
        if self._exchange is not None:
            # The last call here may not know yet that its answer ended and the connection moved on.
            self._exchange.call.detach()
        self._exchange = exchange
        if exchange.must_connect:
            self.close()
        exchange.is_reused = self.sock is not None and self._answers_here > 0
        if self.sock is not None:
            exchange.attach(self.sock)
        self._unsent = bytearray()
        super().request(*args, **options)
        whole, self._unsent = bytes(self._unsent), None
        self.send(whole)

    def send(self, data: Any) -> None:
        # Headers and body in one packet: the server wakes once, not twice.
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent += data

    def response_class(  # type: ignore[override]  # http.client calls it, whatever it is
        self, sock: socket.socket, **options: Any
    ) -> http.client.HTTPResponse:
        """Make the answer that http.client reads, and let the exchange see what of it has come."""
        response = http.client.HTTPResponse(sock, **options)
        received = _Received(response.fp.detach())
        response.fp = io.BufferedReader(received)
        exchange: Exchange = _running.exchange
        exchange.received, exchange.answer = received, response.fp
        return response

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        exchange: Exchange = _running.exchange
        if exchange.socket is not self.sock:
            exchange.attach(self.sock)
        response = super().getresponse()
        self._answers_here += 1
        return response


class _InterruptibleHttps(_InterruptibleHttp, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _InterruptibleHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _InterruptibleHttps


class InterruptibleAdapter(HTTPAdapter):
    """Keeps connections to one server that end as soon as the call that uses them does."""

    _pool: ConnectionPool | None = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pools out of the connections above."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> ConnectionPool:
        """Return the one server's pool; finding it anew costs more than using it."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool


def _connect_first(
    addresses: Sequence[Address], exchange: Exchange, timeout_s: float
) -> socket.socket:
    """Connect to the first address that takes us; raise the last one's OSError if none does."""
    failure = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, address, exchange, timeout_s)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _connect(sock: socket.socket, address: Any, exchange: Exchange, timeout_s: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    code = sock.connect_ex(address)
    # Only a socket that is connecting can be shut down, so it is attached no earlier.
    exchange.attach(sock)
    if code == errno.EINPROGRESS:
        if not wait_for_write(sock, exchange.call.within(timeout_s)):
            raise TimeoutError
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    sock.settimeout(timeout_s)
