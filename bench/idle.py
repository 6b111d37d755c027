"""CPU time and memory of open sockets on which nothing happens, and connects per second.

`IDLE_SOCKETS` sets how many sockets are opened; the clients run in this process.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial

from bench._cpu import CpuMeter, memory_bytes
from bench._figures import OURS, Figure, alternate
from bench._load import close_all
from bench._options import options
from bench._systems import System, plain, this_project

SOCKETS = int(os.environ.get("IDLE_SOCKETS", "3000"))
IDLE_S = 30
SYSTEMS: dict[str, Callable[[], AbstractContextManager[System]]] = {
    OURS: partial(this_project, SESSION_TTL_S="7200"),
    f"{OURS}, uvicorn": partial(this_project, "uvicorn", SESSION_TTL_S="7200"),
    "plain": plain,
}


def run() -> Iterator[str | Figure]:
    """Measure each system once, newly started: memory that was used before is not counted."""
    count = options.amount(SOCKETS, 20)
    yield f"{count} sockets, {IDLE_S} s"
    yield from alternate(
        {name: partial(measure, start, count) for name, start in SYSTEMS.items()}, rounds=1
    )


def measure(start: Callable[[], AbstractContextManager[System]], count: int) -> Mapping[str, float]:
    """Start a system and open this many sockets, each of a session of its own."""
    with start() as system:
        return asyncio.run(_measure(system, count))


async def _measure(system: System, count: int) -> Mapping[str, float]:
    addresses = await asyncio.to_thread(system.addresses, count)
    [web] = system.stack.running("web")
    before = memory_bytes(web)
    connecting, started_at = CpuMeter(system.stack), time.monotonic()
    sockets = await system.connect_all(addresses, streams=True)
    opened_s, opening_s = time.monotonic() - started_at, connecting.used_s()["web"]
    memory = memory_bytes(web) - before
    meter = CpuMeter(system.stack)
    await asyncio.sleep(options.amount(IDLE_S, 1))
    shares = meter.shares()
    await close_all(sockets)
    return {
        "Idle sockets, web (% of a core)": shares["web"],
        "Idle sockets, Redis (% of a core)": shares["redis"],
        "Memory of web per socket (KB)": memory / count / 1024,
        "Connects (1/s)": count / opened_s,
        "CPU per connect, web (ms)": opening_s / count * 1000,
    }
