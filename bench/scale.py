"""Replies per second with one, two and four processes of web and worker, as ratios to one.

With an instant model, the machine's cores are the limit; with eight slots a worker and a model that
needs 200 ms, the slots are.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager

from bench._cpu import CpuMeter
from bench._figures import Figure
from bench._load import close_all, replies_per_second, start_web
from bench._options import options
from bench._systems import SERVER, System, this_project
from tests.ports import free_port

PROCESSES = (1, 2, 4)
SLOTS = 8
SESSIONS = 200
MODEL_S = 0.2


def run() -> Iterator[str | Figure]:
    """Measure, then add processes, and so on."""
    limits: dict[str, tuple[AbstractContextManager[System], float]] = {
        "cores": (this_project(), 0.0),
        f"{SLOTS} slots a worker": (this_project(WORKER_CONCURRENCY=str(SLOTS)), MODEL_S),
    }
    for limit, (starting, delay_s) in limits.items():
        with starting as system:
            rates = {count: _rates(system, count, delay_s) for count in PROCESSES}
        for count, values in rates.items():
            processes = f"{count} process{'es' * (count > 1)}"
            figure = Figure(f"Limited by {limit} (replies/s)", processes, values)
            yield figure
            ratio = figure.ratio(Figure("", "", rates[1]))
            yield Figure(f"Limited by {limit}, ratio", processes, ratio.values)


def _rates(system: System, count: int, delay_s: float) -> tuple[float, ...]:
    while len(system.stack.running("web")) < count:
        start_web(system.stack, SERVER, "chatproject.asgi:application", str(free_port()))
        system.stack.start_worker()
    return tuple(asyncio.run(_rate(system, delay_s)) for _ in range(options.rounds))


async def _rate(system: System, delay_s: float) -> float:
    sockets = await system.open(options.amount(SESSIONS, 8))
    system.set_model_delay(delay_s)
    rate, _ = await replies_per_second(sockets, CpuMeter(system.stack))
    system.set_model_delay(0)
    await close_all(sockets)
    return rate
