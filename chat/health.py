"""Is the process alive, and is what it needs reachable?"""

import asyncio
from collections.abc import Awaitable, Callable

from celery import current_app
from django.http import HttpRequest, JsonResponse

from chat import sessions
from chat.deployment import async_store

TIMEOUT_S = 3
WORKER_SILENT_S = 10


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer as long as the event loop turns."""
    return JsonResponse({"status": "alive"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 where Redis, the broker and a worker are reachable, else 503 and which is not."""
    names = list(CHECKS)
    found = await asyncio.gather(*(_holds(CHECKS[name]) for name in names))
    checks = {name: "ok" if ok else "unreachable" for name, ok in zip(names, found, strict=True)}
    return JsonResponse({"checks": checks}, status=200 if all(found) else 503)


async def _holds(check: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check()
    except Exception:  # noqa: BLE001 whatever it is, it is not ready
        return False


async def _redis() -> bool:
    await async_store().run(sessions.signs_of_life())
    return True


async def _broker() -> bool:
    return await asyncio.to_thread(_broker_answers)


def _broker_answers() -> bool:
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=TIMEOUT_S)
        return bool(connection.connected)


async def _worker() -> bool:
    """A worker proves itself by work: it lately did the sweep that beat asks for every second."""
    ages_s = await async_store().run(sessions.signs_of_life())
    return min(ages_s.values(), default=WORKER_SILENT_S) < WORKER_SILENT_S


CHECKS = {"redis": _redis, "broker": _broker, "worker": _worker}
