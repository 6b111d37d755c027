"""What a message costs with RabbitMQ as the broker, beside Redis.

One node of RabbitMQ runs on this machine. Sessions and events are in Redis with both.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench._cpu import KINDS, CpuMeter
from bench._figures import OURS, Figure, alternate, percentiles
from bench._load import close_all, replies_per_second, round_trips_ms
from bench._options import options
from bench._systems import System, this_project
from tests.rabbitmq import running_rabbitmq

SESSIONS = 100
RABBITMQ = "RabbitMQ"


def run() -> Iterator[str | Figure]:
    """Measure both in turn; yield also the ratios."""
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="chat-bench-"))
        node = running.enter_context(running_rabbitmq(Path(folder)))
        with_redis = running.enter_context(this_project())
        with_rabbitmq = running.enter_context(this_project(CELERY_BROKER_URL=node.url))
        with_rabbitmq.stack.processes.append(node.process)
        systems = {OURS: with_redis, RABBITMQ: with_rabbitmq}
        figures = alternate(
            {name: partial(measure, system) for name, system in systems.items()}, options.rounds
        )
    yield from figures
    redis = {figure.name: figure for figure in figures if figure.system == OURS}
    for figure in figures:
        if figure.system == RABBITMQ and figure.name in redis:
            yield f"{figure.name}, RabbitMQ : Redis: {figure.ratio(redis[figure.name])}"


def measure(system: System) -> Mapping[str, float]:
    """Measure the site with one broker once."""
    return asyncio.run(_measure(system))


async def _measure(system: System) -> Mapping[str, float]:
    [socket] = await system.open(1)
    await round_trips_ms(socket, options.amount(50, 2))
    p50, p99 = percentiles(await round_trips_ms(socket, options.amount(300, 5)))
    await socket.close()
    sockets = await system.open(options.amount(SESSIONS, 4))
    meter = CpuMeter(system.stack, (*KINDS, "rabbitmq"))
    rate, used_s = await replies_per_second(sockets, meter)
    await close_all(sockets)
    return {
        "Round trip, p50 (ms)": p50,
        "Round trip, p99 (ms)": p99,
        f"{SESSIONS} sessions (replies/s)": rate,
        **{f"CPU per message, {kind} (ms)": used * 1000 for kind, used in used_s.items()},
    }
