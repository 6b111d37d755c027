"""Cost of a session by its length: opening it, loading it over HTTP, and one message.

The longest callback is CPU time of the web process' event loop, during which no other socket is
served. Without and with the search index of the admin, which Redis updates with every message.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator

import requests
from redis import Redis
from websockets.asyncio.client import connect

from bench._cpu import CpuMeter
from bench._history import fill_session
from bench._load import new_tokens, round_trips_ms, site, start_web
from chat.operator.search_index import SearchIndex
from chat.schemas import session_id
from chat.store.client import Store
from tests.ports import free_port
from tests.processes import WEB_SERVERS, Stack

PATH = "/longest-callback"  # of bench._timed_loop
LENGTHS = (0, 200, 1_000, 10_000)
OPENS = 40
LOADS = 5
MESSAGES = 100
WARM_UP = 20


def run() -> Iterator[str]:
    """Measure with each web server."""
    for server in WEB_SERVERS:
        yield server
        for line in measure(server):
            yield f"  {line}"


def measure(server: str) -> Iterator[str]:
    """Start a site; yield a row for each length, without and with the index."""
    with site(server) as (stack, _), Redis.from_url(stack.redis_url) as redis:
        # A second web process, so that timing each callback does not slow down messages.
        stack.environment["PORT"] = port = str(free_port())
        start_web(stack, server, "bench._timed_loop:application", port)
        asyncio.run(_open_and_send(stack, new_tokens(stack, 1)[0], WARM_UP))
        for is_indexed in (False, True):
            if is_indexed:
                SearchIndex(Store(stack.redis_url, 1)).indexed_share()
            yield f"{'with' if is_indexed else 'without'} the search index"
            for length in LENGTHS:
                token = new_tokens(stack, 1)[0]
                fill_session(redis, session_id(token), length)
                yield f"  {length:6,} messages: {_row(stack, token)}"


def _row(stack: Stack, token: str) -> str:
    opens, longest_ms = asyncio.run(_opens(stack, token))
    loads, size, load_longest_ms = _loads(stack, token)
    meter = CpuMeter(stack)
    trips = asyncio.run(_open_and_send(stack, token, MESSAGES))
    used_s = meter.used_s()
    return (
        f"open {statistics.median(opens):.1f} ms (longest callback {longest_ms:.1f} ms);"
        f" refresh {statistics.median(loads):.0f} ms, {size / 1e6:.2f} MB"
        f" (longest callback {load_longest_ms:.1f} ms);"
        f" message {statistics.median(trips):.1f} ms, CPU "
        + ", ".join(f"{kind} {used / MESSAGES * 1000:.2f} ms" for kind, used in used_s.items())
    )


async def _opens(stack: Stack, token: str) -> tuple[list[float], float]:
    """Return the time until each socket has received its session, and the longest callback."""
    took_ms, longest_ms = [], []
    for _ in range(OPENS):
        _longest_callback_ms(stack)
        started = time.perf_counter()
        async with connect(
            f"{stack.ws_url}?token={token}",
            subprotocols=["chat.v1"],  # type: ignore[list-item]
            proxy=None,
        ) as socket:
            await socket.recv()
            took_ms.append((time.perf_counter() - started) * 1000)
        longest_ms.append(_longest_callback_ms(stack))
    return took_ms, statistics.median(longest_ms)


def _loads(stack: Stack, token: str) -> tuple[list[float], int, float]:
    took_ms, longest_ms, size = [], [], 0
    for _ in range(LOADS):
        _longest_callback_ms(stack)
        started = time.perf_counter()
        response = requests.get(f"{stack.url}/refresh_token", params={"token": token}, timeout=60)
        took_ms.append((time.perf_counter() - started) * 1000)
        size = len(response.content)
        longest_ms.append(_longest_callback_ms(stack))
    return took_ms, size, statistics.median(longest_ms)


def _longest_callback_ms(stack: Stack) -> float:
    return float(requests.get(f"{stack.url}{PATH}", timeout=10).text)


async def _open_and_send(stack: Stack, token: str, count: int) -> list[float]:
    url = stack.ws_url
    async with connect(f"{url}?token={token}", proxy=None) as socket:
        return await round_trips_ms(socket, count)
