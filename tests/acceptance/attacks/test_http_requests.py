"""Unusual, contradictory, large and slow HTTP requests, written byte by byte."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

import psutil
import pytest
import requests
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from chatproject.request_checks import RESPONSE_HEADERS
from chatproject.request_limits import MAX_BODY_BYTES, REQUEST_TIMEOUT_S
from tests.acceptance.attacks.conftest import Target

TIMEOUT_S = 30
HUGE_BYTES = 50 * 1024 * 1024
PORTS_THAT_ARE_NONE = ["http://a:99999", "http://a:x", "http://[::1", "http://a:-1"]


def open_connection(target: Target) -> socket.socket:
    return socket.create_connection(("127.0.0.1", target.web.port), TIMEOUT_S)


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def receive_all(client: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while part := client.recv(65536):
            received += part
    return received


def exchange(target: Target, data: bytes) -> bytes:
    """Send `data`, and return everything until the server closes the connection."""
    with open_connection(target) as client:
        client.sendall(data)
        return receive_all(client)


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/token", "/static/x", "/nowhere"])
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "PROPFIND", "get"])
def test_an_unusual_method_is_not_allowed(target: Target, method: str, path: str) -> None:
    response = exchange(target, head(f"{method} {path}", "X-Secret: s3cret", "Connection: close"))
    assert status(response) == 405
    assert b"s3cret" not in response


@pytest.mark.parametrize("origin", PORTS_THAT_ARE_NONE)
@pytest.mark.parametrize("path", ["/", "/test", "/token", "/admin/login/"])
def test_a_malformed_origin_is_refused(target: Target, path: str, origin: str) -> None:
    headers = (f"Origin: {origin}", "Connection: close", "Content-Length: 0")
    for method in ("GET", "POST", "OPTIONS"):
        assert status(exchange(target, head(f"{method} {path}", *headers))) == 400


@pytest.mark.parametrize("origin", [*PORTS_THAT_ARE_NONE, "null", "http://evil.example", "//"])
def test_a_socket_from_a_malformed_or_foreign_origin_is_refused(
    target: Target, origin: str
) -> None:
    token = target.create_session()
    response = exchange_handshake(target, token, f"Origin: {origin}")
    assert status(response) in {400, 403}


def test_a_socket_of_the_site_itself_is_accepted(target: Target) -> None:
    token = target.create_session()
    address = f"127.0.0.1:{target.web.port}"
    response = exchange_handshake(target, token, f"Origin: http://{address}", host=address)
    assert status(response) == 101


def exchange_handshake(target: Target, token: str, *headers: str, host: str = "127.0.0.1") -> bytes:
    request = [
        f"GET /chat?token={token} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    with open_connection(target) as client:
        client.sendall("\r\n".join([*request, "", ""]).encode())
        return client.recv(65536)


@pytest.mark.parametrize(
    "headers",
    [
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 50"),
        ("Content-Length: 5", "Transfer-Encoding: identity"),
        ("Transfer-Encoding : chunked", "Content-Length: 5"),
        ("Content-Length: +5",),
        ("Content-Length: 5, 50",),
        ("Content-Length: " + "9" * 100,),
    ],
)
def test_a_request_with_two_lengths_is_refused(target: Target, headers: tuple[str, ...]) -> None:
    smuggled = head("GET /test", "Connection: close")
    response = exchange(target, head("POST /token", *headers) + b"0\r\n\r\n" + smuggled)
    assert status(response) in {400, 413, 501}
    assert response.count(b"HTTP/1.1 ") == 1
    assert b"API is Online" not in response


def test_responses_have_the_security_headers(target: Target) -> None:
    paths = ["/", "/test", "/healthz", "/admin/login/", "/static/chat/boot.js", "/nowhere"]
    for path in paths:
        response = requests.get(target.url + path, timeout=TIMEOUT_S)
        for name, value in RESPONSE_HEADERS:
            assert response.headers[name.decode()] == value.decode(), path
    refused = exchange(target, head("TRACE /", "Connection: close")).lower()
    assert all(name in refused for name, _ in RESPONSE_HEADERS)


@pytest.mark.parametrize("path", ["/token", "/", "/admin/login/", "/nowhere"])
def test_a_body_at_the_limit_is_read_and_one_above_is_refused(target: Target, path: str) -> None:
    for size, is_refused in ((MAX_BODY_BYTES, False), (MAX_BODY_BYTES + 1, True)):
        request = head(f"POST {path}", f"Content-Length: {size}", "Connection: close")
        assert (status(exchange(target, request + b"a" * size)) == 413) is is_refused
        request = head(f"POST {path}", "Transfer-Encoding: chunked", "Connection: close")
        body = f"{size:x}\r\n".encode() + b"a" * size + b"\r\n0\r\n\r\n"
        assert (status(exchange(target, request + body)) == 413) is is_refused


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_huge_body_takes_neither_memory_nor_disk(target: Target, is_chunked: bool) -> None:
    web = psutil.Process(target.web.pid)
    before = web.memory_info().rss
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {HUGE_BYTES}"
    part = b"a" * 65536
    sent = 0
    with open_connection(target) as client:
        client.sendall(head("POST /nowhere", length))
        with suppress(ConnectionError):
            while sent < HUGE_BYTES:
                client.sendall(b"10000\r\n" + part + b"\r\n" if is_chunked else part)
                sent += len(part)
                assert not uploads(web)
        response = receive_all(client)
    assert sent < HUGE_BYTES
    assert not response or status(response) == 413
    assert web.memory_info().rss - before < 20 * 1024 * 1024


def uploads(web: psutil.Process) -> list[str]:
    """Return the temporary files that a process has open, other than its log and metrics."""
    paths = [file.path for file in web.open_files()]
    return [path for path in paths if Path(path).parent == Path(gettempdir())]


def test_slow_requests_are_dropped_and_others_are_not(target: Target) -> None:
    """A byte a second keeps a connection alive for ever, unless requests have a deadline."""
    slow = [
        b"",
        b"GET /test HT",
        b"GET /test HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A",
        head("POST /token", "Content-Length: 1000"),
        head("POST /token", "Transfer-Encoding: chunked"),
        head("GET /test") + b"GET /test HTTP/1.1\r\nX-",
    ]
    token = target.create_session()
    with (
        connect(f"{target.ws_url}?token={token}") as idle,
        ThreadPoolExecutor(len(slow)) as pool,
    ):
        seconds = list(pool.map(lambda data: seconds_until_dropped(target, data), slow))
        assert max(seconds) < REQUEST_TIMEOUT_S + 5
        idle.send("hello")
        assert idle.recv(TIMEOUT_S)


def seconds_until_dropped(target: Target, data: bytes) -> float:
    started_at = time.monotonic()
    with open_connection(target) as client:
        client.sendall(data)
        client.settimeout(0.5)
        while time.monotonic() - started_at < 40:
            try:
                if data:
                    client.sendall(b"1")
                if not client.recv(65536):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    return time.monotonic() - started_at


def test_a_refused_handshake_is_no_server_error(target: Target) -> None:
    for origin in PORTS_THAT_ARE_NONE:
        with (
            pytest.raises(InvalidHandshake),
            connect(target.ws_url, additional_headers={"Origin": origin}),
        ):
            pass
    assert "Traceback" not in target.web.output()
