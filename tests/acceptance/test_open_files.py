"""A web process at its limit of open files refuses what is too much, and goes on serving."""

import asyncio
import json
import resource
import socket
from contextlib import AsyncExitStack, ExitStack

import psutil
import pytest
import requests
from websockets.asyncio.client import ClientConnection, connect

from tests.client import create_session
from tests.conftest import NewStack
from tests.ports import free_port
from tests.processes import WEB_SERVERS, Process, Stack, is_serving, wait_for

pytestmark = pytest.mark.slow

OPEN_FILES = 512
REFUSED = "New connections are refused"
ACCEPTED = "New connections are accepted again"


@pytest.fixture
def site(new_stack: NewStack, redis_url: str) -> Stack:
    return new_stack(SOCKETS_PER_SESSION="10000", REDIS_URL=redis_url)


def start_web(site: Stack, server: str, limit: int) -> Process:
    command = f"sh -c 'ulimit -n {limit} && exec {WEB_SERVERS[server]}'"
    web = site.run("web", command, {"PORT": str(free_port())})
    web.wait_until(lambda: is_serving(f"http://127.0.0.1:{web.port}/test"), "to serve")
    return web


async def first_frame(web: Process, token: str) -> tuple[ClientConnection, dict[str, str]]:
    url = f"ws://127.0.0.1:{web.port}/chat?token={token}"
    connection = await connect(url, subprotocols=["chat.v1"], compression=None)  # type: ignore[list-item]
    return connection, json.loads(await connection.recv())


@pytest.mark.parametrize("server", WEB_SERVERS)
async def test_too_many_sockets_are_refused_and_requests_are_served(
    site: Stack, server: str
) -> None:
    web = await asyncio.to_thread(start_web, site, server, OPEN_FILES)
    address = f"http://127.0.0.1:{web.port}"
    token = await asyncio.to_thread(create_session, address)
    async with AsyncExitStack() as stack:
        frames = []
        for _ in range(OPEN_FILES // 2):
            connection, frame = await first_frame(web, token)
            stack.push_async_callback(connection.close)
            frames.append(frame)
        ready = [frame["type"] for frame in frames].count("session.ready")
        assert OPEN_FILES // 4 < ready < OPEN_FILES // 2
        assert frames[-1]["code"] == "rate.limited"
        assert "too many open connections" in frames[-1]["detail"]
        for path in ("/healthz", "/test"):
            assert await asyncio.to_thread(is_serving, address + path)
        assert await asyncio.to_thread(create_session, address)
    wait_for(lambda: "New WebSockets are accepted again" in web.output(), "the log line")
    connection, frame = await first_frame(web, token)
    await connection.close()
    assert frame["type"] == "session.ready"
    assert web.output().count("New WebSockets are refused") == 1
    assert f"can open only {OPEN_FILES} files" in web.output()
    assert "Traceback" not in web.output()


@pytest.mark.parametrize("server", WEB_SERVERS)
def test_idle_connections_leave_files_for_the_process(site: Stack, server: str) -> None:
    web = start_web(site, server, OPEN_FILES)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            for _ in range(OPEN_FILES)
        ]
        clients[-1].settimeout(10)
        assert clients[-1].recv(1000).startswith(b"HTTP/1.1 503 ")
        assert psutil.Process(web.pid).num_fds() < OPEN_FILES - 100
    assert web.output().count(REFUSED) == 1
    wait_for(lambda: is_serving(f"http://127.0.0.1:{web.port}/test"), "to serve again")


@pytest.mark.parametrize("server", WEB_SERVERS)
def test_a_server_that_cannot_accept_pauses_and_recovers(site: Stack, server: str) -> None:
    web = start_web(site, server, OPEN_FILES)
    address = f"http://127.0.0.1:{web.port}/test"
    process = psutil.Process(web.pid)
    before = process.cpu_times().user
    with ExitStack() as stack:
        # Below what it has open already, so that accept itself fails.
        process.rlimit(resource.RLIMIT_NOFILE, (10, OPEN_FILES))
        for _ in range(50):
            stack.enter_context(socket.create_connection(("127.0.0.1", web.port)))
        wait_for(lambda: REFUSED in web.output(), "the log line")
        with pytest.raises(requests.RequestException):
            requests.get(address, timeout=3)
    process.rlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    wait_for(lambda: is_serving(address), "to serve again")
    wait_for(lambda: is_serving(address) and ACCEPTED in web.output(), "the second log line")
    assert web.output().count(REFUSED) == 1
    assert len(web.output().splitlines()) < 30
    assert process.cpu_times().user - before < 2


def test_the_soft_limit_is_raised_to_the_hard_limit(site: Stack) -> None:
    command = f"sh -c 'ulimit -Sn 256 && exec {WEB_SERVERS['uvicorn']}'"
    web = site.run("web", command, {"PORT": str(free_port())})
    web.wait_until(lambda: is_serving(f"http://127.0.0.1:{web.port}/test"), "to serve")
    soft, hard = psutil.Process(web.pid).rlimit(resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65_536)
