"""Store, cache, broker and channel layer behind real Sentinels follow the primary."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, suppress
from typing import Any, TypeVar

import pytest
from celery import Celery
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from chat.errors import StoreUnavailable
from chat.events.channel_layer import ChannelLayer
from chat.store import sessions
from chat.store.client import AsyncStore, Store
from chatproject.redis_urls import broker_options, broker_url, cache_options, layer_host
from tests.component.conftest import create_session, send_message
from tests.processes import wait_for
from tests.sentinels import SentinelGroup

T = TypeVar("T")
EVENT = {"type": "probe"}
BROKER_TIMEOUTS = {"socket_timeout": 2, "socket_connect_timeout": 2}
TIMEOUTS = BROKER_TIMEOUTS | {"protocol": 2}


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    with SentinelGroup(tmp_path_factory.mktemp("sentinels")) as group:
        yield group


@pytest.fixture
def store(group: SentinelGroup) -> Iterator[Store]:
    store = Store(group.url, connections=4)
    yield store
    store.redis.close()


@pytest.fixture
async def async_store(group: SentinelGroup) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(group.url, connections=4)
    yield store
    await store.redis.aclose()


@pytest.fixture
def broker(group: SentinelGroup) -> Iterator[Celery]:
    with closing(Celery(broker=broker_url(group.url))) as app:
        app.conf.broker_transport_options = BROKER_TIMEOUTS | broker_options(group.url, {})
        app.conf.task_ignore_result = True
        yield app


@pytest.fixture
async def layer(group: SentinelGroup) -> AsyncIterator[ChannelLayer]:
    layer = ChannelLayer(hosts=[layer_host(group.url, {}) | TIMEOUTS])
    yield layer
    [connection] = layer._get_layer()._shards
    pool = connection._redis.connection_pool
    await layer.flush()
    await pool.sentinel_manager.aclose()


@pytest.fixture
def cache(group: SentinelGroup) -> Iterator[RedisCache]:
    cache = RedisCache([group.url], {"OPTIONS": TIMEOUTS | cache_options(group.url)})
    yield cache
    client: Any = cache._cache
    client.get_client().connection_pool.disconnect()


def queued(broker: Celery) -> int:
    with broker.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare("celery").message_count)


async def exchange(layer: ChannelLayer, channel: str) -> Any:
    """Send events until one is received."""
    await layer.group_add("group", channel)

    async def send() -> None:
        while True:
            with suppress(Exception):  # during a failover
                await layer.group_send("group", EVENT)
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(30):
            return await layer.receive(channel)
    finally:
        sending.cancel()


def succeeds(act: Callable[[], Any]) -> bool:
    try:
        act()
    except (StoreUnavailable, RedisError, ConnectionError):
        return False
    return True


async def retried(act: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreUnavailable):
                return await act()
            await asyncio.sleep(0.05)


async def test_all_roles_find_the_primary(
    group: SentinelGroup,
    store: Store,
    async_store: AsyncStore,
    broker: Celery,
    cache: RedisCache,
    layer: ChannelLayer,
) -> None:
    session = create_session(store)
    sent = send_message(store, session)
    assert (await async_store.run(sessions.load(session))).messages == (sent,)
    cache.set("name", 1)
    assert cache.get("name") == 1
    broker.send_task("a.task")
    assert queued(broker) == 1
    assert await exchange(layer, await layer.new_channel()) == EVENT


@pytest.mark.slow
async def test_all_roles_follow_a_failover(
    group: SentinelGroup,
    store: Store,
    async_store: AsyncStore,
    broker: Celery,
    cache: RedisCache,
    layer: ChannelLayer,
) -> None:
    session = create_session(store)
    sent = send_message(store, session)
    assert (await async_store.run(sessions.load(session))).messages == (sent,)
    channel = await layer.new_channel()
    assert await exchange(layer, channel) == EVENT
    broker.send_task("a.task")
    with group.client(group.primary) as primary:
        primary.execute_command("WAIT", 2, 5000)
    before = group.primary

    before.running.kill()
    group.until_primary_is_not(before)

    wait_for(lambda: succeeds(lambda: send_message(store, session)), "the blocking store")
    assert (await retried(lambda: async_store.run(sessions.load(session)))).messages[0] == sent
    wait_for(lambda: succeeds(lambda: cache.set("name", 1)), "the cache")
    wait_for(lambda: succeeds(lambda: broker.send_task("a.task")), "the broker")
    assert queued(broker) >= 2
    assert await exchange(layer, channel) == EVENT
    before.start()
    group.until_complete()
