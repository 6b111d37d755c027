"""Autobahn's cases for the rules of the WebSocket protocol, on both servers.

`make conformance` also runs the cases for size and speed. Compression is not offered.
"""

import pytest
import requests

from tests.conformance.servers import (
    CHAT,
    ECHO,
    KNOWN_FAILURES,
    failures,
    is_serving,
    results,
    start,
)
from tests.conftest import NewStack
from tests.ports import free_port
from tests.processes import WEB_SERVERS, wait_for

RULES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
RULES_WITHOUT_ECHO = ["2.*", "3.*", "4.*", "7.*"]
NEEDS_AN_ECHO = {"7.1.1"}
TIMEOUT_S = 120


@pytest.mark.slow
@pytest.mark.parametrize("server", WEB_SERVERS)
def test_the_socket_conforms_to_the_protocol(
    new_stack: NewStack, redis_url: str, server: str
) -> None:
    echo = start(new_stack(REDIS_URL=redis_url, PORT=str(free_port())), server, ECHO)
    chat = start(new_stack(REDIS_URL=redis_url, SOCKETS_PER_SESSION="1000"), server, CHAT)
    wait_for(lambda: is_serving(echo) and is_serving(chat), f"{server} to serve")

    found = results(f"ws://127.0.0.1:{echo.port}/chat", RULES, TIMEOUT_S)
    assert len(found) == 247
    assert failures(found) == KNOWN_FAILURES[server]

    created = requests.post(
        f"http://127.0.0.1:{chat.port}/token", params={"name": "Ada"}, timeout=5
    )
    token = created.json()["token"]
    found = results(f"ws://127.0.0.1:{chat.port}/chat?token={token}", RULES_WITHOUT_ECHO, TIMEOUT_S)
    assert len(found) == 65
    assert failures(found) - KNOWN_FAILURES[server] == NEEDS_AN_ECHO
