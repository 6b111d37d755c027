"""Cost of a long queue while a worker is full, and how a worker that returns drains it.

`QUEUED_SESSIONS` sets how many sessions wait. A thousand of them have an open socket, which is sent
its position. `/readyz` is requested every second.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import uuid4

import requests
from redis import Redis
from websockets.asyncio.client import ClientConnection

from bench._cpu import CpuMeter
from bench._figures import OURS, Figure
from bench._history import queue_sessions
from bench._load import script
from bench._options import options
from bench._systems import System, this_project
from tests.processes import Stack

SESSIONS = int(os.environ.get("QUEUED_SESSIONS", "100000"))
SOCKETS = 1_000
SLOTS = 8
MEASURED_S = 20
SETTINGS = {
    "WORKER_CONCURRENCY": str(SLOTS),
    "SESSION_TTL_S": "7200",
    "REPLY_DEADLINE_S": "7200",
    "MODEL_TIMEOUT_S": "3600",
}


def run() -> Iterator[str | Figure]:
    """Measure no queue, a long one, and the drain."""
    count = options.amount(SESSIONS, 50)
    with (
        this_project(**SETTINGS) as system,
        Redis.from_url(system.stack.redis_url, decode_responses=True) as redis,
    ):
        yield from _figures("no queue", asyncio.run(_shares(system, ())))
        script(system.model, delay_s=3_000)
        # The slots are full before the others begin to wait.
        queue_sessions(redis, [str(uuid4()) for _ in range(SLOTS)])
        _wait_until(lambda: redis.zcard("chat:waiting") == 0)
        tokens = [str(uuid4()) for _ in range(count)]
        ids = queue_sessions(redis, tokens)
        with_socket = tokens[:: max(count // options.amount(SOCKETS, 5), 1)]
        yield from _figures(f"{count:,} wait", asyncio.run(_shares(system, with_socket)))
        [worker] = system.stack.running("worker")
        worker.kill()
        script(system.model)
        yield from _figures(f"drain of {count:,}", _drain(system.stack, redis, ids))


def _figures(prefix: str, values: Mapping[str, float]) -> Iterator[Figure]:
    for name, value in values.items():
        yield Figure(f"{prefix}: {name}", OURS, (value,))


async def _shares(system: System, tokens: Sequence[str]) -> Mapping[str, float]:
    """Open sockets for these sessions; return the CPU time of each kind while they wait."""
    stack = system.stack
    addresses = [f"{stack.ws_url}?token={token}" for token in tokens]
    sockets = [await system.connect(address, streams=True) for address in addresses]
    readers = [asyncio.create_task(_read(socket)) for socket in sockets]  # type: ignore[arg-type]
    await asyncio.sleep(options.amount(5, 1))
    meter = CpuMeter(stack)
    ends_at = time.monotonic() + options.amount(MEASURED_S, 1)
    while time.monotonic() < ends_at:
        await asyncio.to_thread(requests.get, f"{stack.url}/readyz", timeout=10)
        await asyncio.sleep(1)
    shares = meter.shares()
    await asyncio.gather(*(socket.close() for socket in sockets))
    await asyncio.gather(*readers)
    return {f"{kind} (% of a core)": share for kind, share in shares.items()}


async def _read(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


def _drain(stack: Stack, redis: Redis, ids: Sequence[str]) -> Mapping[str, float]:
    """Return how many replies a new worker stores per second, and how far out of order."""
    stack.start_worker()
    _wait_until(lambda: redis.zcard("chat:due") < len(ids))
    before, meter, started_at = redis.zcard("chat:due"), CpuMeter(stack), time.monotonic()
    time.sleep(options.amount(MEASURED_S, 1))
    left, took_s = redis.zrange("chat:due", 0, -1), time.monotonic() - started_at
    shares = meter.shares()
    waiting = set(left)
    answered = [index for index, session in enumerate(ids) if session not in waiting]
    # The sessions that were answered are among so many that waited longest.
    among = answered[-1] + 1
    return {
        "replies/s": (before - len(left)) / took_s,
        "answered out of turn (%)": (1 - len(answered) / among) * 100,
    } | {f"{kind} (% of a core)": share for kind, share in shares.items()}


def _wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)
