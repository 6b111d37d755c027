"""The channel layer while its server is away: subscriptions never fail, and are kept."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from chat.events import channel_layer
from chat.events.channel_layer import ChannelLayer, ServerAway
from tests.ports import free_port
from tests.processes import Stack, wait_for

EVENT = {"type": "probe"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Stack]:
    """A Redis of the layer's own, not started."""
    environment = {"DATA_DIR": str(tmp_path), "EMBEDDED_REDIS_PORT": str(free_port())}
    with Stack(tmp_path, environment) as stack:
        yield stack


@pytest.fixture
def layer(server: Stack, monkeypatch: pytest.MonkeyPatch) -> ChannelLayer:
    monkeypatch.setattr(channel_layer, "PAUSES_S", (0.1,))
    return ChannelLayer(hosts=[{"address": server.redis_url, "protocol": 2}])


async def join(layer: ChannelLayer) -> str:
    async with asyncio.timeout(5):
        channel = str(await layer.new_channel())
        await layer.group_add("group", channel)
    return channel


async def receive_until_sent(layer: ChannelLayer, *channels: str) -> list[Any]:
    """Send until the first channel receives an event; return what every channel receives."""

    async def send() -> None:
        while True:
            with suppress(Exception):  # while the server is away
                await layer.group_send("group", EVENT)
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(20):
            return [await layer.receive(channel) for channel in channels]
    finally:
        sending.cancel()


async def test_who_joins_while_the_server_is_away_receives_events_later(
    layer: ChannelLayer, server: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await join(layer)
    with suppress(RedisError):
        await layer.group_send("group", EVENT)
    with pytest.raises(ServerAway):
        await layer.group_send("group", EVENT)
    await asyncio.to_thread(server.start_redis)
    assert await receive_until_sent(layer, channel) == [EVENT]
    await layer.flush()
    levels = [record.levelno for record in caplog.records if record.name == channel_layer.__name__]
    assert levels == [logging.WARNING] * 2, caplog.text


async def test_subscriptions_survive_a_restart_of_the_server(
    layer: ChannelLayer, server: Stack
) -> None:
    redis = await asyncio.to_thread(server.start_redis)
    first = await join(layer)
    assert await receive_until_sent(layer, first) == [EVENT]
    await asyncio.to_thread(redis.kill)
    second = await join(layer)
    await layer.group_discard("group", second)
    third = await join(layer)
    await asyncio.to_thread(server.start_redis)
    assert await receive_until_sent(layer, first, third) == [EVENT, EVENT]
    await layer.flush()


async def test_a_server_that_hangs_is_noticed_without_an_event_to_send(
    server: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channel_layer, "PAUSES_S", (0.1,))
    server.start_redis()
    host = {"address": server.redis_url, "protocol": 2, "health_check_interval": 0.2}
    layer = ChannelLayer(hosts=[host])
    channel = await join(layer)
    assert await receive_until_sent(layer, channel) == [EVENT]
    [connection] = layer._get_layer()._shards
    ponged_until = connection._pubsub.connection.next_health_check + 1
    while connection._pubsub.connection.next_health_check < ponged_until:  # there are no events
        await connection._redis.ping()
    assert "does not respond" not in caplog.text
    monkeypatch.setattr(channel_layer, "SILENT_S", 0.3)
    [redis] = server.running("redis")
    redis.send(signal.SIGSTOP)
    silent = "The channel layer does not respond"
    await asyncio.to_thread(wait_for, lambda: silent in caplog.text, "the outage", 10)
    redis.send(signal.SIGCONT)
    assert await receive_until_sent(layer, channel) == [EVENT]


async def test_flushing_ends_although_a_cancellation_is_lost(layer: ChannelLayer) -> None:
    await join(layer)
    [connection] = layer._get_layer()._shards
    connection._receive_task.cancel()
    lost = 0

    async def receive() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    connection._receive_task = asyncio.create_task(receive())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await layer.flush()
    assert lost == 2
