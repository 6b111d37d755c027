"""Autobahn's cases of RFC 6455 on both web servers.

`make conformance` adds size and speed, and compression, which daphne does not implement.
"""

import pytest
import requests

from tests.conformance.servers import (
    CHAT,
    ECHO,
    KNOWN_FAILURES,
    failures,
    is_serving,
    run_cases,
    start,
)
from tests.conftest import NewStack
from tests.ports import free_port
from tests.processes import WEB_SERVERS, wait_for

CONFORMANCE = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
CASES_WITHOUT_ECHO = ["2.*", "3.*", "4.*", "7.*"]
REQUIRES_ECHO = {"7.1.1"}
TIMEOUT_S = 120


@pytest.mark.parametrize("server", WEB_SERVERS)
def test_the_socket_conforms_to_rfc_6455(new_stack: NewStack, redis_url: str, server: str) -> None:
    echo = start(new_stack(REDIS_URL=redis_url, PORT=str(free_port())), server, ECHO)
    chat = start(new_stack(REDIS_URL=redis_url, SOCKETS_PER_SESSION="1000"), server, CHAT)
    wait_for(lambda: is_serving(echo) and is_serving(chat), f"{server} to serve")

    results = run_cases(f"ws://127.0.0.1:{echo.port}/chat", CONFORMANCE, TIMEOUT_S)
    assert len(results) == 247
    assert failures(results) == KNOWN_FAILURES[server]

    response = requests.post(
        f"http://127.0.0.1:{chat.port}/token", params={"name": "Ada"}, timeout=5
    )
    token = response.json()["token"]
    results = run_cases(
        f"ws://127.0.0.1:{chat.port}/chat?token={token}", CASES_WITHOUT_ECHO, TIMEOUT_S
    )
    assert len(results) == 65
    assert failures(results) - KNOWN_FAILURES[server] == REQUIRES_ECHO
