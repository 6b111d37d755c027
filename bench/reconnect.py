"""Time until all clients are back after the web process was restarted, and how many were refused.

Clients try again after growing random pauses, as the reference clients do. `RECONNECTING_CLIENTS`
sets how many there are; they run in this process, on the same cores.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from bench._cpu import CpuMeter
from bench._figures import OURS, Figure, alternate
from bench._load import Socket, close_all, start_web
from bench._options import options
from bench._systems import System, this_project
from tests.processes import WEB_SERVERS, Stack

CLIENTS = int(os.environ.get("RECONNECTING_CLIENTS", "3000"))
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0


def run() -> Iterator[str | Figure]:
    """Measure with each web server."""
    count = options.amount(CLIENTS, 10)
    yield f"{count} clients"
    yield from alternate(
        {f"{OURS}, {server}": partial(measure, server, count) for server in WEB_SERVERS}, rounds=1
    )


def measure(server: str, count: int) -> Mapping[str, float]:
    """Restart the web process of this many clients."""
    with this_project(server, SESSION_TTL_S="7200") as system:
        return asyncio.run(_measure(system, server, count))


async def _measure(system: System, server: str, count: int) -> Mapping[str, float]:
    addresses = await asyncio.to_thread(system.addresses, count)
    sockets = await system.connect_all(addresses, streams=True)
    refused: Counter[str] = Counter()
    returning = [
        asyncio.create_task(_return(system, *client, refused))
        for client in zip(addresses, sockets, strict=True)
    ]
    await asyncio.to_thread(_restart, system.stack, server)
    meter, started_at = CpuMeter(system.stack), time.monotonic()
    back = await asyncio.gather(*returning)
    took_s, used_s = time.monotonic() - started_at, meter.used_s()["web"]
    await close_all(back)
    return {
        "All are back after (s)": took_s,
        "CPU of web for each (ms)": used_s / count * 1000,
        "Refused": sum(refused.values()),
    }


def _restart(stack: Stack, server: str) -> None:
    [web] = stack.running("web")
    web.stop()
    start_web(stack, server, "chatproject.asgi:application", stack.environment["PORT"])


async def _return(system: System, address: str, socket: Socket, refused: Counter[str]) -> Socket:
    """Wait until a socket is closed; return the one that replaces it, and count refusals."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        pause_s = FIRST_PAUSE_S
    while True:
        await asyncio.sleep(random.uniform(0.5, 1) * pause_s)  # noqa: S311
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        try:
            return await system.connect(address, streams=True)
        except ConnectionRefusedError:
            continue  # the server is not there yet
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            refused[type(error).__name__] += 1
