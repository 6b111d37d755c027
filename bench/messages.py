"""Latency of one message without the model's time, and replies per second under load.

Clients and servers share this machine's cores. A raw WebSocket echo with the same server and the
same clients is measured in the same run for comparison: compare ratios.
"""

import asyncio
from collections.abc import Iterator

from websockets.asyncio.client import connect

from bench._load import (
    close_all,
    open_sessions,
    replies_per_second,
    round_trips_ms,
    script,
    site,
    spread,
    start_web,
)
from tests.ports import free_port
from tests.processes import WEB_SERVERS, Stack

WARM_UP = 50
ROUND_TRIPS = 500
BUSY_SESSIONS = 200
SLOW_SESSIONS = 64
SLOW_MODEL_S = 0.2


def run() -> Iterator[str]:
    """Measure with each web server."""
    for server in WEB_SERVERS:
        with site(server) as (stack, model):
            yield f"{server}"
            yield from (f"  {line}" for line in asyncio.run(_measure(stack, server, model)))


async def _measure(stack: Stack, server: str, model: str) -> list[str]:
    echo = f"ws://127.0.0.1:{_start_echo(stack, server)}/"
    lines = []

    [socket] = await open_sessions(stack, 1)
    await round_trips_ms(socket, WARM_UP)
    lines.append(f"one session, round trip:   {spread(await round_trips_ms(socket, ROUND_TRIPS))}")
    await socket.close()
    async with connect(echo, proxy=None) as socket:
        await round_trips_ms(socket, WARM_UP)
        lines.append(
            f"  raw echo:                {spread(await round_trips_ms(socket, ROUND_TRIPS))}"
        )

    lines.append(await _rate(stack, echo, "instant model", BUSY_SESSIONS, each=10))
    script(model, delay_s=SLOW_MODEL_S)
    possible = f"of {SLOW_SESSIONS / SLOW_MODEL_S:.0f} possible"
    lines.append(await _rate(stack, echo, f"200 ms model ({possible})", SLOW_SESSIONS, each=15))
    return lines


async def _rate(stack: Stack, echo: str, what: str, count: int, each: int) -> str:
    sockets = await open_sessions(stack, count)
    await replies_per_second(sockets, 1)
    rate = await replies_per_second(sockets, each)
    await close_all(sockets)
    echoes = [await connect(echo, proxy=None) for _ in range(count)]
    raw = await replies_per_second(echoes, each * 5)
    await close_all(echoes)
    return f"{count} sessions, {what}: {rate:.0f} replies/s; raw echo {raw:.0f}/s"


def _start_echo(stack: Stack, server: str) -> str:
    port = str(free_port())
    start_web(stack, server, "bench._echo:application", port)
    return port
