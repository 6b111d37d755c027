"""Is the process alive, and is what it needs at work?

`/readyz` says of each part what is wrong with it, and 503 where new messages could not be answered:
Redis takes no write, the broker no task, the channel layer loses events, or no worker is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import cast
from uuid import uuid4

from channels.layers import BaseChannelLayer, get_channel_layer
from django.http import HttpRequest, JsonResponse
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as TooSlow

from chat.container import async_store
from chat.errors import StoreUnavailable
from chat.observability.exporter import queued_tasks
from chat.store import cluster
from chat.store.cluster import WORKER_TIMEOUT_S

TIMEOUT_S = 3
OK = "ok"
UNREACHABLE = "unreachable"
DEGRADED = frozenset({"sweep"})


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer as long as the event loop turns."""
    return JsonResponse({"status": "alive"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 where new messages would be answered, else 503; and the state of each part."""
    states = await asyncio.gather(*(_state(check) for check in CHECKS.values()))
    checks = dict(zip(CHECKS, states, strict=True))
    ready = all(state == OK or name in DEGRADED for name, state in checks.items())
    return JsonResponse({"checks": checks}, status=200 if ready else 503)


async def _state(check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check()
    except Exception:  # noqa: BLE001 whatever it is, it did not answer
        return UNREACHABLE


async def _redis() -> str:
    """Redis writes: one that is full or a replica still reads."""
    try:
        await async_store().run(cluster.check_writable())
    except StoreUnavailable as error:
        gone = isinstance(error.__cause__, NotConnected | TooSlow)
        return UNREACHABLE if gone else "refuses to write: full, read-only or without JSON"
    return OK


async def _broker() -> str:
    await asyncio.to_thread(queued_tasks)
    return OK


class LayerProbe:
    """Sends itself an event through the channel layer, on one channel for the process' life."""

    def __init__(self) -> None:
        self._channel = ""
        self._turn = asyncio.Lock()

    async def round_trip(self) -> None:
        """Return when the event is back; where it is lost, the caller's time runs out."""
        layer = cast(BaseChannelLayer, get_channel_layer())
        async with self._turn:
            self._channel = self._channel or await layer.new_channel()
            nonce = uuid4().hex
            await layer.send(self._channel, {"type": "probe", "nonce": nonce})
            while (await layer.receive(self._channel)).get("nonce") != nonce:
                pass


@cache
def layer_probe() -> LayerProbe:
    """Return this process' probe."""
    return LayerProbe()


async def _layer() -> str:
    await layer_probe().round_trip()
    return OK


async def _worker() -> str:
    standing = await async_store().run(cluster.load())
    return OK if standing.alive else f"no sign of life for {WORKER_TIMEOUT_S:.0f} s"


async def _sweep() -> str:
    """Without the sweep messages are answered, but what a dying process leaves is not found."""
    standing = await async_store().run(cluster.load())
    if standing.swept_ago_s is None:
        return "never done: start beat"
    late = standing.swept_ago_s > WORKER_TIMEOUT_S
    return f"{standing.swept_ago_s:.0f} s ago: is beat running?" if late else OK


CHECKS = {
    "redis": _redis,
    "broker": _broker,
    "layer": _layer,
    "worker": _worker,
    "sweep": _sweep,
}
