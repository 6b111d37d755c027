"""Tokens in addresses, in every spelling, which no process may log."""

import socket
from contextlib import suppress
from urllib.parse import quote

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.acceptance.attacks.conftest import Target
from tests.processes import wait_for

TIMEOUT_S = 10
PATHS = [
    "/refresh_token?token={}",
    "/refresh_token?%74oken={}",
    "/{}",
    "/nowhere/{}/",
    "/chat?%74oken={}",
    "/admin/chat/session/{}/change/",
    "/s/{}",
    "/s/{}.json",
    "/%73/{}",
    "//s/{}",
    "/s/{}/x?token={}",
]


def spellings(token: str) -> list[str]:
    quoted = "".join(f"%{ord(each):02x}" for each in token)
    forms = [token, token.upper(), f"{{{token}}}", f"urn:uuid:{token}", token.replace("-", "")]
    return [quote(form, safe=":") for form in forms] + [quoted, quote(quoted), f"%7b{token}%7D"]


def request(target: Target, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", target.web.port), TIMEOUT_S) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        received = b""
        while part := client.recv(65536):
            received += part
    return received


def test_no_spelling_of_a_token_is_logged(target: Target) -> None:
    token = target.create_session()
    for spelling in spellings(token):
        for path in PATHS:
            assert request(target, path.replace("{}", spelling))
        for query in ("token", "%74oken"):
            with suppress(WebSocketException), connect(f"{target.ws_url}?{query}={spelling}"):
                pass
    assert request(target, "/the-last-line")
    wait_for(lambda: "/the-last-line" in target.web.output(), "the last line", TIMEOUT_S)
    log = target.web.output().lower().replace("-", "").replace("%2d", "")
    digits = token.replace("-", "")
    quoted = "".join(f"%{ord(each):02x}" for each in digits)
    for start in range(0, 32, 8):
        assert digits[start : start + 8] not in log
        assert quoted[3 * start : 3 * start + 24] not in log
