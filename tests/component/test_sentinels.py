"""Store, cache, broker and channel layer behind real Sentinels follow the primary."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from celery import Celery
from django.conf import LazySettings
from django.core.cache.backends.redis import RedisCache
from django.test import override_settings
from redis.exceptions import ConnectionError, RedisError

from chat.cli.doctor import redis_servers
from chat.errors import StoreUnavailable
from chat.events.channel_layer import ChannelLayer
from chat.management.commands import backup
from chat.schemas import Session
from chat.store import leases, replication, sessions
from chat.store.client import AsyncStore, Store
from chat.store.command import Command
from chat.store.keys import session_key
from chat.store.replication import AsyncReplicatedStore, ReplicatedStore
from chat.store.scripts import LUA
from chatproject.redis_urls import broker_options, broker_url, cache_options, layer_host
from tests.component.conftest import (
    LIMITS,
    create_session,
    new_reply,
    send_message,
    take_message,
)
from tests.processes import wait_for
from tests.sentinels import LOOPBACK, PASSWORD, SentinelGroup

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


@contextmanager
def frozen(group: SentinelGroup) -> Iterator[None]:
    """Stop the replicas for as long as the block runs."""
    replicas = [each for each in group.servers if each is not group.primary]
    for replica in replicas:
        replica.running.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for replica in replicas:
            replica.running.send(signal.SIGCONT)


async def test_what_replicas_do_not_have_is_not_acknowledged(
    group: SentinelGroup, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "TIMEOUT_MS", 200)
    blocking = ReplicatedStore(group.url, 2, min_replicas=1)
    waiting = AsyncReplicatedStore(group.url, 2, min_replicas=1)
    session, message = create_session(blocking), uuid4()
    accept = sessions.accept(session, message, "hi", address="test", limits=LIMITS)
    load = sessions.load(session)
    with frozen(group):
        for _ in range(2):  # the second run writes nothing new, but its replicas are behind
            with pytest.raises(StoreUnavailable):
                await waiting.run(accept)
            with pytest.raises(StoreUnavailable):
                await waiting.run(load)  # it would acknowledge the message
        taken = take_message(store, session)
        commit = leases.commit(session, taken.lease, new_reply(message), ttl_s=600)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                blocking.run(commit)
    assert not (await retried(lambda: waiting.run(accept))).new
    wait_for(lambda: succeeds(lambda: blocking.run(commit)), "replicas")
    assert len(blocking.run(load).messages) == 2
    blocking.redis.close()
    await waiting.redis.aclose()


@pytest.mark.parametrize("script", sorted(replication.ACKNOWLEDGED - {"create"}))
def test_acknowledged_scripts_write_in_a_second_run(script: str) -> None:
    text = (LUA / f"{script}.lua").read_text()
    assert "write_again()" in text or "redis.call('SET', lease, '')" in text


def test_a_primary_that_lacks_replicas_is_asked_for_again(
    group: SentinelGroup, store: Store
) -> None:
    session = create_session(store)
    with group.client(group.primary) as primary:
        primary.config_set("min-replicas-to-write", 3)
        try:
            with pytest.raises(StoreUnavailable) as caught:
                send_message(store, session)
        finally:
            primary.config_set("min-replicas-to-write", 0)
    assert isinstance(caught.value.__cause__, ConnectionError)
    send_message(store, session)


@pytest.mark.parametrize("min_replicas_to_write", [0, 1])
async def test_a_primary_and_its_sentinel_that_are_cut_off_are_left(
    group: SentinelGroup,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    min_replicas_to_write: int,
) -> None:
    monkeypatch.setattr(replication, "TIMEOUT_MS", 200)
    more = f"min-replicas-to-write {min_replicas_to_write}"
    with SentinelGroup(tmp_path, hosts=(LOOPBACK,), more=more) as cut_off:
        [lonely] = cut_off.sentinels
        host, port = lonely.address
        url = group.url.replace("@", f"@{host}:{port},", 1)
        blocking = ReplicatedStore(url, 2, min_replicas=1)
        waiting = AsyncReplicatedStore(url, 2, min_replicas=1)

        def create(session: str) -> Command[Session]:
            return sessions.create(session, "Ada", address=session, limits=LIMITS)

        one, other = uuid4().hex, uuid4().hex
        with pytest.raises(StoreUnavailable):
            blocking.run(create(one))
        with pytest.raises(StoreUnavailable):
            await waiting.run(create(other))
        wait_for(lambda: succeeds(lambda: blocking.run(create(one))), "the other primary")
        await retried(lambda: waiting.run(create(other)))

        with group.client(group.primary) as primary:
            assert primary.exists(*(session_key(each, "document") for each in (one, other))) == 2
        blocking.redis.close()
        await waiting.redis.aclose()


def test_the_doctor_checks_the_primary_each_sentinel_and_the_replicas(
    group: SentinelGroup,
) -> None:
    url = group.url.replace(f":{group.sentinels[1].port}", ":9")
    with override_settings(STORE_MIN_REPLICAS=3):
        findings = list(redis_servers.check_server(url, ["REDIS_URL"]))
    texts = "\n".join(each.text for each in findings)
    host, port = group.primary.address
    assert f"at {host}:{port}, the primary of mymaster, responds" in texts
    assert "REDIS_URL: Sentinel 127.0.0.1:9 does not respond" in texts
    assert "STORE_MIN_REPLICAS is 3, but Redis has 2 replicas" in texts
    assert "A primary that is cut off from its replicas continues to accept writes" in texts


def test_a_backup_copies_the_primary(group: SentinelGroup, settings: LazySettings) -> None:
    settings.REDIS_URL = group.url
    settings.REDIS_TLS = {group.url: {}}
    arguments, environment = backup.redis_cli_arguments()
    assert arguments == ["-h", group.primary.host, "-p", str(group.primary.port)]
    assert environment == {"REDISCLI_AUTH": PASSWORD}


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
