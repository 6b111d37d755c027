"""CPU time and memory of open sockets on which nothing happens, and connects per second.

`IDLE_SOCKETS` sets how many sockets are opened; the clients run in this process.
"""

import asyncio
import os
import time
from collections.abc import Iterator

from websockets.asyncio.client import ClientConnection, connect

from bench._cpu import CpuMeter, memory_bytes
from bench._load import close_all, new_tokens, site
from tests.processes import WEB_SERVERS, Stack

SOCKETS = int(os.environ.get("IDLE_SOCKETS", "3000"))
IDLE_S = 30
AT_ONCE = 50


def run() -> Iterator[str]:
    """Measure with each web server."""
    for server in WEB_SERVERS:
        yield f"{server}: {measure(server, SOCKETS)}"


def measure(server: str, count: int) -> str:
    """Start a site and open this many sockets, each of a session of its own."""
    with site(server, SESSION_TTL_S="7200") as (stack, _):
        return asyncio.run(_measure(stack, count))


async def _measure(stack: Stack, count: int) -> str:
    tokens = await asyncio.to_thread(new_tokens, stack, count)
    [web] = stack.running("web")
    before = memory_bytes(web)
    connecting, started_at = CpuMeter(stack), time.monotonic()
    sockets = await _open(stack, tokens)
    opened_s, opening = time.monotonic() - started_at, connecting.used_s()["web"]
    each_kb = (memory_bytes(web) - before) / count / 1024
    meter, started_at = CpuMeter(stack), time.monotonic()
    await asyncio.sleep(IDLE_S)
    shares = {kind: used / (time.monotonic() - started_at) for kind, used in meter.used_s().items()}
    await close_all(sockets)
    return (
        f"{count} sockets: web {shares['web']:.1%}, Redis {shares['redis']:.1%} of a core;"
        f" {each_kb:.0f} KB each; {count / opened_s:.0f} connects/s,"
        f" {opening / count * 1000:.2f} ms of web each"
    )


async def _open(stack: Stack, tokens: list[str]) -> list[ClientConnection]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def open_one(token: str) -> ClientConnection:
        async with limit:
            url = f"{stack.ws_url}?token={token}"
            socket = await connect(url, subprotocols=["chat.v1"], proxy=None, open_timeout=120)  # type: ignore[list-item]
            await socket.recv()
            return socket

    return await asyncio.gather(*map(open_one, tokens))
