"""Large, compressed and endless frames, with and without a token."""

import json
import select
import socket
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chat.schemas import session_id
from chat.store.keys import session_key
from tests.acceptance.attacks.conftest import Target
from tests.processes import wait_for

FRAME_BYTES = 64 * 1024
MAX_SERVER_BYTES = 256 * 1024
FLOOD_FRAMES = 100_000
TIMEOUT_S = 10


def open_socket(target: Target, token: str, **options: Any) -> ClientConnection:
    protocols: Any = ["chat.v1", f"token.{token}"]
    client: ClientConnection = connect(
        target.ws_url, subprotocols=protocols, max_size=None, **options
    )
    return client


def test_compression_is_not_offered(target: Target) -> None:
    """A few compressed bytes would inflate to megabytes before any limit is checked."""
    with open_socket(target, target.create_session(), compression="deflate") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


def test_a_frame_above_64_kib_gets_an_error_and_keeps_the_socket(target: Target) -> None:
    with open_socket(target, target.create_session()) as client:
        client.recv(TIMEOUT_S)
        client.send(
            json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "a" * FRAME_BYTES})
        )
        assert json.loads(client.recv(TIMEOUT_S))["code"] == "message.too_long"
        client.send(json.dumps({"type": "session.sync", "after": 0}))
        assert json.loads(client.recv(TIMEOUT_S))["type"] == "session.ready"


def test_a_frame_that_no_client_sends_closes_the_socket(target: Target) -> None:
    with open_socket(target, target.create_session()) as client:
        client.recv(TIMEOUT_S)
        client.send("a" * (MAX_SERVER_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(TIMEOUT_S)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_a_rejected_client_that_ignores_the_close_is_disconnected(target: Target) -> None:
    address = urlsplit(target.ws_url)
    with socket.create_connection((address.hostname, address.port), TIMEOUT_S) as client:
        client.sendall(
            b"GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n"
        )
        received = b""
        while part := _receive(client):
            received += part
        assert b"session.unknown" in received


def test_clients_that_vanish_in_the_handshake_leave_nothing(target: Target) -> None:
    address = urlsplit(target.ws_url)
    tokens = [target.create_session() for _ in range(40)]
    logged = len(target.web.log.read_text())
    for number, token in enumerate(tokens):
        with socket.create_connection((address.hostname, address.port), TIMEOUT_S) as client:
            client.sendall(
                b"GET /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Sec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Protocol: chat.v1, token.%b\r\n\r\n" % token.encode()
            )
            # In each stage of the handshake.
            select.select([client], [], [], number * 0.0005)
    keys = [session_key(session_id(token), "sockets") for token in tokens]
    with Redis.from_url(target.redis_url) as redis:
        # They would expire after twenty seconds.
        wait_for(lambda: not redis.exists(*keys), "all sockets to be removed", TIMEOUT_S)
    assert "Traceback" not in target.web.log.read_text()[logged:]


def test_a_flooding_client_is_aborted(target: Target) -> None:
    """A client that sends on after hundreds of errors loses its connection."""
    with open_socket(target, target.create_session()) as client:
        # Both ends' buffers hold a few megabytes that it has sent ahead; these are a hundred.
        assert _send_until_closed(client, FLOOD_FRAMES) < FLOOD_FRAMES / 2


def _send_until_closed(client: ClientConnection, limit: int) -> int:
    frame = json.dumps({"type": "session.extend", "padding": "a" * 1000})
    for sent in range(limit):
        try:
            client.send(frame)
        except ConnectionClosed:
            return sent
    return limit


def _receive(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionResetError:
        return b""
