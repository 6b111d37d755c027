"""The checks of `/readyz`: whether a component is usable, and if not, what is wrong.

A deployment is not ready if new messages would not be answered: Redis accepts no write, the broker
no task, the channel layer loses events, or no worker sends heartbeats. A web process needs less to
be worth a load balancer's requests: without workers it accepts messages, and with a full Redis it
shows histories.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache
from typing import cast
from uuid import uuid4

from channels.layers import BaseChannelLayer, get_channel_layer

from chat.container import async_store
from chat.errors import StoreUnavailable
from chat.events.queues import queued_tasks
from chat.events.rabbitmq import PublishingBlocked
from chat.schemas import FrozenModel
from chat.store.client import AWAY
from chat.store.operation import cluster
from chat.store.operation.cluster import WORKER_TIMEOUT_S
from chat.store.operation.memory import FORECAST_MINUTES, full_in_s
from chat.store.operation.statistics import load_minutes

TIMEOUT_S = 3
OK = "ok"
UNREACHABLE = "unreachable"
ACCEPTS_NOTHING = "accepts no tasks: memory or disk almost full"
REFUSES_WRITES = "refuses writes: full or read-only"
WITHOUT_JSON = "has no JSON module: use Redis 8 or Redis Stack"
DEGRADED = frozenset({"sweep", "memory", "models"})
MAX_SWEEP_AGE_S = 10
MAX_OVERDUE_S = 10


class WebChecks(FrozenModel):
    """The state of what a web process needs: `ok`, or what is wrong."""

    redis: str


class Checks(WebChecks):
    """The state of each component: `ok`, or what is wrong."""

    broker: str
    layer: str
    worker: str
    sweep: str
    messages: str
    memory: str
    models: str


class MemoryUse(FrozenModel):
    """Redis' memory; `full_in_s` is when it will be full at the growth of the last minutes."""

    used_bytes: int
    max_bytes: int
    full_in_s: int | None


async def check_all() -> Checks:
    """Check every component at the same time."""
    states = await asyncio.gather(*(_state(check) for check in CHECKS.values()))
    return Checks(**dict(zip(CHECKS, states, strict=True)))


async def check_web() -> WebChecks:
    """Check what a web process needs."""
    return WebChecks(redis=await _state(_redis))


def can_serve(checks: WebChecks) -> bool:
    """Return whether a web process can serve the page and histories."""
    return checks.redis in {OK, REFUSES_WRITES}


def is_ready(checks: Checks) -> bool:
    """Return whether new messages would be answered."""
    return all(state == OK or name in DEGRADED for name, state in checks)


async def _state(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check()
    except Exception:  # noqa: BLE001 whatever the error, the component does not respond
        return UNREACHABLE


async def _redis() -> str:
    """Check that Redis stores JSON. A full one, or a replica, still serves reads."""
    try:
        has_json = await async_store().run(cluster.check_writable())
    except StoreUnavailable as error:
        return UNREACHABLE if isinstance(error.__cause__, AWAY) else REFUSES_WRITES
    return OK if has_json else WITHOUT_JSON


async def _broker() -> str:
    try:
        await asyncio.to_thread(queued_tasks)
    except PublishingBlocked:
        return ACCEPTS_NOTHING
    return OK


class LayerProbe:
    """Sends itself an event through the channel layer, on the same channel until one is lost.

    The layer unsubscribes from a channel when `receive` is cancelled.
    """

    def __init__(self) -> None:
        self._channel = ""
        self._turn = asyncio.Lock()

    async def round_trip(self) -> None:
        """Return when the event has arrived; the caller limits the time."""
        layer = cast(BaseChannelLayer, get_channel_layer())
        async with self._turn:
            channel, self._channel = self._channel or await layer.new_channel(), ""
            nonce = uuid4().hex
            await layer.send(channel, {"type": "probe", "nonce": nonce})
            while (await layer.receive(channel)).get("nonce") != nonce:
                pass
            self._channel = channel


@cache
def layer_probe() -> LayerProbe:
    """Return this process' probe."""
    return LayerProbe()


async def _layer() -> str:
    await layer_probe().round_trip()
    return OK


async def _worker() -> str:
    state = await async_store().run(cluster.load())
    return OK if state.alive else f"no heartbeat for {WORKER_TIMEOUT_S:.0f} s"


async def _sweep() -> str:
    """Check that beat runs. Without the sweep, messages of a lost worker are not found."""
    state = await async_store().run(cluster.load())
    if state.swept_ago_s is None:
        return "has never run: is beat running?"
    if state.swept_ago_s > MAX_SWEEP_AGE_S:
        return f"last ran {state.swept_ago_s:.0f} s ago: is beat running?"
    return OK


async def _messages() -> str:
    """Check that no session waits for a worker longer than the sweep allows."""
    state = await async_store().run(cluster.load())
    late = state.overdue_s > MAX_OVERDUE_S
    return f"overdue for {state.overdue_s:.0f} s" if late else OK


async def _memory() -> str:
    """Check that there is room for new sessions."""
    memory = (await async_store().run(cluster.load())).memory
    full = memory is not None and memory.refuses_sessions
    return f"{memory} are used: new sessions are refused" if full else OK


async def _models() -> str:
    """Check that workers can reach every endpoint of the models."""
    endpoints = (await async_store().run(cluster.load())).endpoints
    of_model = Counter(each.model for each in endpoints)
    # Without their addresses, as everyone may load this.
    down = Counter(each.model for each in endpoints if each.down_for)
    sentences = [
        f"{model}: {count} of {of_model[model]} endpoints down" for model, count in down.items()
    ]
    return ", ".join(sentences) or OK


async def load_memory() -> MemoryUse | None:
    """Load the use of Redis' memory; None without a limit, or if Redis does not show it."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            memory = (await async_store().run(cluster.load())).memory
            minutes = await async_store().run(load_minutes(FORECAST_MINUTES + 1))
    except (StoreUnavailable, TimeoutError):
        return None
    if memory is None:
        return None
    left_s = full_in_s(minutes, memory.limit)
    return MemoryUse(
        used_bytes=memory.used,
        max_bytes=memory.limit,
        full_in_s=None if left_s is None else round(left_s),
    )


CHECKS = {
    "redis": _redis,
    "broker": _broker,
    "layer": _layer,
    "worker": _worker,
    "sweep": _sweep,
    "messages": _messages,
    "memory": _memory,
    "models": _models,
}
