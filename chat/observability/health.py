"""The checks behind `/readyz`: whether everything that new messages need works.

Redis must accept writes, the broker tasks and the channel layer events, and a worker must run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import cast
from uuid import uuid4

from channels.layers import BaseChannelLayer, get_channel_layer
from pydantic import Field
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from chat.container import async_store
from chat.errors import StoreUnavailable
from chat.observability.exporter import queued_tasks
from chat.schemas import FrozenModel
from chat.store import cluster
from chat.store.cluster import WORKER_TIMEOUT_S

TIMEOUT_S = 3
OK = "ok"
UNREACHABLE = "unreachable"
MAX_SWEEP_AGE_S = 10
NO_HEARTBEAT = f"no heartbeat for {WORKER_TIMEOUT_S:.0f} s"


class Checks(FrozenModel):
    """The result of each check: `ok`, or what is wrong."""

    redis: str = Field(description="Redis accepts writes.")
    broker: str = Field(description="The broker responds.")
    layer: str = Field(description="The channel layer delivers an event.")
    worker: str = Field(description="At least one worker sends heartbeats.")
    sweep: str = Field(description="The sweep runs. Messages are answered without it.")

    @property
    def ready(self) -> bool:
        """Whether new messages can be answered: all checks but the sweep's passed."""
        return {self.redis, self.broker, self.layer, self.worker} == {OK}


ALL_OK = Checks(redis=OK, broker=OK, layer=OK, worker=OK, sweep=OK)
NO_WORKER = ALL_OK.model_copy(update={"worker": NO_HEARTBEAT})


async def run_checks() -> Checks:
    """Run all checks at the same time."""
    redis, broker, layer, worker, sweep = await asyncio.gather(
        _run(_check_redis),
        _run(_check_broker),
        _run(_check_layer),
        _run(_check_worker),
        _run(_check_sweep),
    )
    return Checks(redis=redis, broker=broker, layer=layer, worker=worker, sweep=sweep)


async def _run(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check()
    except Exception:  # noqa: BLE001 whatever is wrong, the part did not respond
        return UNREACHABLE


async def _check_redis() -> str:
    """Check with a write, because a Redis that is full or a replica still serves reads."""
    try:
        await async_store().run(cluster.check_writable())
    except StoreUnavailable as error:
        is_down = isinstance(error.__cause__, RedisConnectionError | RedisTimeoutError)
        return UNREACHABLE if is_down else "refuses writes: full, read-only or without JSON"
    return OK


async def _check_broker() -> str:
    await asyncio.to_thread(queued_tasks)
    return OK


class LayerProbe:
    """Sends an event to itself through the channel layer, on one channel per process."""

    def __init__(self) -> None:
        self._channel = ""
        self._lock = asyncio.Lock()

    async def round_trip(self) -> None:
        """Return when the event has arrived. A lost event never does: set a timeout."""
        layer = cast(BaseChannelLayer, get_channel_layer())
        async with self._lock:
            self._channel = self._channel or await layer.new_channel()
            nonce = uuid4().hex
            await layer.send(self._channel, {"type": "probe", "nonce": nonce})
            while (await layer.receive(self._channel)).get("nonce") != nonce:
                pass


@cache
def layer_probe() -> LayerProbe:
    """Return this process' probe."""
    return LayerProbe()


async def _check_layer() -> str:
    await layer_probe().round_trip()
    return OK


async def _check_worker() -> str:
    state = await async_store().run(cluster.load())
    return OK if state.alive else NO_HEARTBEAT


async def _check_sweep() -> str:
    state = await async_store().run(cluster.load())
    if state.swept_ago_s is None:
        return "has never run: is beat running?"
    if state.swept_ago_s > MAX_SWEEP_AGE_S:
        return f"last ran {state.swept_ago_s:.0f} s ago: is beat running?"
    return OK
