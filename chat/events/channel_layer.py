"""The channel layer: Redis' pub/sub, as channels_redis implements it, but it may be away.

An event is a hint, so a socket must not depend on its server. With channels_redis' own connection,
a new socket fails while the server does not respond, and the process logs a traceback per second.
"""

import asyncio
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from channels_redis.pubsub import (
    RedisPubSubChannelLayer,
    RedisPubSubLoopLayer,
    RedisSingleShardConnection,
)
from channels_redis.utils import _wrap_close, decode_hosts
from redis.exceptions import ConnectionError as RedisConnectionError

from chat.observability.outage import Outage

logger = logging.getLogger(__name__)

# A process may have several connections; their outage is logged once.
outage = Outage(logger, "The channel layer does not respond", "The channel layer responds again")
TIMEOUT_S = 2.0
# Between attempts to connect. Sockets load what they miss, so they do not wait for these.
PAUSES_S = (0.5, 1.0, 2.0, 5.0)
POLL_S = 0.1
# After `health_check_interval` without a reply, redis-py sends a PING whenever it polls. If
# the server hangs, nothing ends the connection.
SILENT_S = 3.0


class ServerAway(Exception):
    """The channel layer's server has failed a moment ago and is not tried again yet."""


class ChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """A channel layer on which subscriptions never fail."""

    def _get_layer(self) -> "LoopLayer":
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        return cast(LoopLayer, self._layers[loop])

    async def group_send_all(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Send each event to its group, in order, in one round trip to each server."""
        await self._get_layer().group_send_all(events)


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]
    """The layer of one event loop."""

    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._shards = [Connection(host, self) for host in decode_hosts(hosts)]

    async def group_send_all(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Send each event to its group; raises the error of a server that did not take its own."""
        by_shard = defaultdict(list)
        for group, event in events:
            channel = self._get_group_channel_name(group)
            message = self.channel_layer.serialize(event)
            by_shard[self._get_shard(channel)].append((channel, message))
        publishing = (shard.publish_all(messages) for shard, messages in by_shard.items())
        results = await asyncio.gather(*publishing, return_exceptions=True)
        for error in filter(None, results):
            raise error


class Connection(RedisSingleShardConnection):  # type: ignore[misc]
    """The connection to one server.

    `_subscribed_to` holds the channels that this process wants to receive. While the server is
    away, only the set changes; the receiver subscribes to all of them when it is back.
    """

    def __init__(self, host: Any, channel_layer: Any) -> None:
        super().__init__(host, channel_layer)
        self._pubsub: Any = None
        self._is_away = False
        self._retry_at = 0.0

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish one message, see `publish_all`."""
        await self.publish_all([(channel, message)])

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish messages to their channels, in order.

        Raises what redis-py raises, ServerAway, or TimeoutError within TIMEOUT_S.
        """
        self._ensure_redis()
        if time.monotonic() < self._retry_at:
            raise ServerAway
        pipeline = self._redis.pipeline(transaction=False)
        for channel, message in messages:
            pipeline.publish(channel, message)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await pipeline.execute()
        except Exception as error:
            self._retry_at = time.monotonic() + PAUSES_S[0]
            self._lost(error)
            raise
        if self._receive_task is None:
            self._found()

    async def subscribe(self, channel: str) -> None:
        """Subscribe, now or when the server is back."""
        self._subscribed_to.add(channel)
        await self._change("subscribe", channel)

    async def unsubscribe(self, channel: str) -> None:
        """Unsubscribe; while the server is away, there is nothing to do."""
        self._subscribed_to.discard(channel)
        await self._change("unsubscribe", channel)

    async def flush(self) -> None:
        """Close the connection and forget all subscriptions.

        channels_redis cancels the receiver once. That is lost if it arrives together with the end
        of a time limit inside redis-py, and then the process would never end.
        """
        while self._receive_task and not self._receive_task.done():
            self._receive_task.cancel()
            await asyncio.wait([self._receive_task], timeout=POLL_S)
        await super().flush()

    async def _change(self, command: str, channel: str) -> None:
        self._ensure_redis()
        self._ensure_receiver()
        if self._is_away:
            return
        try:
            async with asyncio.timeout(TIMEOUT_S), self._lock:
                await getattr(self._pubsub, command)(channel)
        except Exception as error:  # noqa: BLE001 redis-py, and the sockets under it
            self._lost(error)

    async def _do_receiving(self) -> None:
        while True:
            try:
                if self._is_away:
                    await self._reconnect()
                elif self._pubsub.subscribed:
                    self._receive_message(
                        await self._pubsub.get_message(
                            ignore_subscribe_messages=True, timeout=POLL_S
                        )
                    )
                    self._check_silence()
                else:
                    await asyncio.sleep(POLL_S)
            except Exception as error:  # noqa: BLE001 redis-py, and the sockets under it
                self._lost(error)

    def _check_silence(self) -> None:
        """Raise ConnectionError if the server has not replied to a PING for SILENT_S."""
        connection = self._pubsub.connection
        if not connection or not connection.health_check_interval:
            return
        now = asyncio.get_running_loop().time()
        if 0 < connection.next_health_check < now - SILENT_S:
            raise RedisConnectionError("No reply to PING")

    async def _reconnect(self) -> None:
        """Return once a new connection is subscribed to every channel."""
        for attempt in itertools.count():
            await asyncio.sleep(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
            pubsub = self._redis.pubsub()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._redis.ping()
                    await self._subscribe_to_all(pubsub)
            except Exception:  # noqa: BLE001 the outage has been logged
                await _close(pubsub)
                continue
            previous, self._pubsub = self._pubsub, pubsub
            self._found()
            await _close(previous)
            return

    async def _subscribe_to_all(self, pubsub: Any) -> None:
        done: set[str] = set()
        while missing := self._subscribed_to - done:
            done |= missing
            await pubsub.subscribe(*missing)

    def _lost(self, error: Exception) -> None:
        self._is_away = True
        outage.failed(error)

    def _found(self) -> None:
        self._is_away = False
        outage.succeeded()


async def _close(pubsub: Any) -> None:
    with suppress(Exception):
        await pubsub.aclose()
