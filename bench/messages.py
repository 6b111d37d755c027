"""Round trip of one message, replies per second, and CPU time per message.

The model responds at once, or after 200 ms. Systems, models and clients share this machine's cores:
compare systems of one run. The bare path and Chainlit's echo store nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from bench._chainlit import chainlit
from bench._cpu import CpuMeter
from bench._figures import OURS, Figure, alternate, percentiles
from bench._load import close_all, replies_per_second, round_trips_ms
from bench._options import options
from bench._systems import System, bare_path, plain, this_project

BUSY_SESSIONS = 200
SLOW_SESSIONS = 64
SLOW_MODEL_S = 0.2


def systems() -> dict[str, AbstractContextManager[System]]:
    """Return the systems to compare, not started."""
    return {
        OURS: this_project(),
        f"{OURS}, uvicorn": this_project("uvicorn"),
        "plain": plain(),
        "bare path": bare_path(),
    } | ({"Chainlit": chainlit()} if options.peers else {})


def run() -> Iterator[str | Figure]:
    """Measure the systems in turn."""
    with ExitStack() as running:
        measures = {
            name: partial(measure, running.enter_context(system))
            for name, system in systems().items()
        }
        yield from alternate(measures, options.rounds)


def measure(system: System) -> Mapping[str, float]:
    """Measure one system once."""
    return asyncio.run(_measure(system))


async def _measure(system: System) -> Mapping[str, float]:
    system.set_model_delay(0)
    [socket] = await system.open(1)
    await round_trips_ms(socket, options.amount(50, 2))
    p50, p99 = percentiles(await round_trips_ms(socket, options.amount(300, 5)))
    await socket.close()
    rate, cpu_s = await _load(system, options.amount(BUSY_SESSIONS, 4))
    figures = {
        "Round trip, p50 (ms)": p50,
        "Round trip, p99 (ms)": p99,
        f"{BUSY_SESSIONS} sessions (replies/s)": rate,
        **{f"CPU per message, {kind} (ms)": used * 1000 for kind, used in cpu_s.items()},
    }
    if system.model:
        sessions = options.amount(SLOW_SESSIONS, 4)
        slow_rate, _ = await _load(system, sessions, SLOW_MODEL_S)
        figures[f"{SLOW_SESSIONS} sessions, 200 ms model, of 320 (replies/s)"] = slow_rate
    return figures


async def _load(system: System, count: int, delay_s: float = 0.0) -> tuple[float, dict[str, float]]:
    sockets = await system.open(count)
    system.set_model_delay(delay_s)
    at_end = partial(system.set_model_delay, 0)
    result = await replies_per_second(sockets, CpuMeter(system.stack), at_end)
    await close_all(sockets)
    return result
