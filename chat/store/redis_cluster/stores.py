"""The store on a Redis Cluster: commands run in the slots of their buckets.

redis-py finds the node of a slot, follows MOVED and ASK, and loads the topology again when a node
fails. `run_all` sends the commands of each node in one round trip, to all nodes at the same time: a
node that does not respond fails only the commands for itself, because the leases and sockets of the
others must be renewed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from threading import Lock
from typing import Any, TypeVar

from redis import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode
from redis.asyncio.cluster import PipelineCommand
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.cluster import ClusterNode
from redis.crc import key_slot
from redis.exceptions import AskError, ConnectionError, NoScriptError
from redis.retry import Retry

from chat.errors import StoreUnavailable
from chat.store.client import (
    NO_TLS,
    RETRIES,
    TIMEOUT_S,
    AsyncStore,
    Store,
    options,
    outage,
    parse_reply,
    translate_redis_errors,
)
from chat.store.command import Command
from chat.store.connections import Tls
from chat.store.redis_cluster.buckets import (
    BUCKETS,
    address_check,
    address_release,
    in_all_buckets,
    in_own_bucket,
    in_slot,
    tags,
)
from chat.store.redis_cluster.nodes import (
    UNREACHABLE,
    Round,
    address_checks,
    address_of,
    is_cluster_url,
    node_urls,
    refusals_by_number,
    values_of,
)

T = TypeVar("T")

MAX_NODES_AT_ONCE = 16
# While one node does not respond, others do.
QUIET_S = 5.0
# These are sent again one by one: redis-py follows the redirection (MOVED is a kind of ASK), or the
# script is sent. Commands on a slot that moves or is not served would take long once more.
REDIRECTIONS = (AskError, NoScriptError)


def record_outage(sent: Round) -> None:
    """Note that a node does not respond."""
    if failed := sent.failed():
        outage.failed(sent.replies[min(failed)])


def open_store(url: str, connections: int, tls: Tls = NO_TLS) -> Store:
    """Return the blocking store of a server or of a cluster."""
    return (ClusterStore if is_cluster_url(url) else Store)(url, connections, tls)


def open_async_store(url: str, connections: int, tls: Tls = NO_TLS) -> AsyncStore:
    """Return the awaited store of a server or of a cluster."""
    return (AsyncClusterStore if is_cluster_url(url) else AsyncStore)(url, connections, tls)


class ClusterStore(Store):
    """Runs commands on a Redis Cluster and waits for them. Threads may share it."""

    buckets = BUCKETS

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS) -> None:
        outage.quiet_s = QUIET_S
        self._url, self._options = url, options(connections, tls)
        self._client: RedisCluster | None = None
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(MAX_NODES_AT_ONCE, "redis-cluster")

    @property
    def redis(self) -> RedisCluster:  # type: ignore[override]
        """The client. It connects when it is created, so this may fail."""
        with self._lock:
            if self._client is None:
                first, *others = node_urls(self._url)
                self._client = RedisCluster(
                    url=first,
                    startup_nodes=[ClusterNode(*address_of(each)) for each in others],
                    connection_pool_class=BlockingConnectionPool,
                    retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES),
                    require_full_coverage=False,
                    reinitialize_steps=0,
                    **self._options,
                )
            return self._client

    def servers(self, *, replicas: bool = False) -> list[Redis]:
        """Return a client for each primary, and on request for each replica."""
        client = self.redis
        nodes = client.get_nodes() if replicas else client.get_primaries()
        return [client.get_redis_connection(node) for node in nodes]

    def name_on(self, server: Redis, name: str) -> str:
        """Return a name in a slot of a server: another one redirects commands about it."""
        nodes = self.redis.nodes_manager
        for tag in tags():
            node = nodes.get_node_from_slot(key_slot(tag.encode()))
            if self.redis.get_redis_connection(node) is server:
                return in_slot(name, tag)
        return name

    def run(self, command: Command[T]) -> T:
        """Run a command; raises the error that its reply names, or StoreUnavailable."""
        if command.merge:
            results = self._run_all(list(in_all_buckets(command)))
            return command.merge(values_of(command, results))
        if check := address_check(command):
            with suppress(StoreUnavailable):
                super().run(check)
        try:
            return super().run(in_own_bucket(command))
        except Exception:
            if release := address_release(command):
                with suppress(StoreUnavailable):
                    super().run(release)
            raise

    def run_all(self, commands: Sequence[Command[T]]) -> list[T | Exception]:
        """Run commands of sessions; the result of one that fails is its exception."""
        checks = address_checks(commands)
        refused = refusals_by_number(checks, self._run_all(list(checks.values())))
        accepted = [each for n, each in enumerate(commands) if n not in refused]
        results = iter(self._run_all(list(map(in_own_bucket, accepted))))
        return [refused[n] if n in refused else next(results) for n in range(len(commands))]

    def _run_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Run commands whose keys are in buckets."""
        if not commands:
            return []
        with translate_redis_errors("several"):
            sent = Round(self.redis.nodes_manager, commands)
            self._send(sent, sent.groups())
            if failed := sent.failed():
                for node in set(failed.values()):
                    self.redis.nodes_manager.initialize(last_failed_node_name=node.name)
                self._send(sent, sent.groups_to_retry(failed))
        record_outage(sent)
        return [self._result(*each) for each in zip(commands, sent.replies, strict=True)]

    def _result(self, command: Command[Any], reply: Any) -> Any:
        try:
            is_final = not isinstance(reply, REDIRECTIONS)
            return parse_reply(command, reply) if is_final else super().run(command)
        except Exception as error:  # noqa: BLE001 a command's own error is its result
            return error

    def _send(self, sent: Round, groups: Mapping[ClusterNode, list[int]]) -> None:
        def send(node: ClusterNode) -> list[Any]:
            return self._send_to(node, sent.commands(groups[node]))

        replies = self._threads.map(send, groups) if len(groups) > 1 else map(send, groups)
        for numbers, of_node in zip(groups.values(), replies, strict=True):
            sent.record(numbers, of_node)

    def _send_to(self, node: ClusterNode, commands: Sequence[Command[Any]]) -> list[Any]:
        try:
            with self.redis.get_redis_connection(node).pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command.evalsha())
                return list(pipeline.execute(raise_on_error=False))
        except UNREACHABLE as error:
            return [error] * len(commands)


class AsyncClusterStore(AsyncStore):
    """Runs commands on a Redis Cluster without blocking the event loop."""

    buckets = BUCKETS

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS) -> None:
        outage.quiet_s = QUIET_S
        first, *others = node_urls(url)
        settings = options(connections, tls)
        # This client fails if a node's connections are in use, so `_connection` waits for one.
        del settings["timeout"]
        self.redis: Any = AsyncRedisCluster.from_url(
            first,
            startup_nodes=[AsyncClusterNode(*address_of(each)) for each in others],
            retry=AsyncRetry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES),
            require_full_coverage=False,
            reinitialize_steps=0,
            **settings,
        )
        self._free = asyncio.Semaphore(connections)

    async def run(self, command: Command[T]) -> T:
        """Run a command; raises the error that its reply names, or StoreUnavailable."""
        if command.merge:
            results = await self._run_all(list(in_all_buckets(command)))
            return command.merge(values_of(command, results))
        if check := address_check(command):
            with suppress(StoreUnavailable):
                await super().run(check)
        try:
            return await super().run(in_own_bucket(command))
        except Exception:
            if release := address_release(command):
                with suppress(StoreUnavailable):
                    await super().run(release)
            raise

    async def run_all(self, commands: Sequence[Command[T]]) -> list[T | Exception]:
        """Run commands of sessions; the result of one that fails is its exception."""
        checks = address_checks(commands)
        refused = refusals_by_number(checks, await self._run_all(list(checks.values())))
        accepted = [each for n, each in enumerate(commands) if n not in refused]
        results = iter(await self._run_all(list(map(in_own_bucket, accepted))))
        return [refused[n] if n in refused else next(results) for n in range(len(commands))]

    async def _run_all(self, commands: Sequence[Command[Any]]) -> list[Any]:
        """Run commands whose keys are in buckets."""
        if not commands:
            return []
        with translate_redis_errors("several"):
            await self.redis.initialize()
            sent = Round(self.redis.nodes_manager, commands)
            await self._send(sent, sent.groups())
            if failed := sent.failed():
                for node in set(failed.values()):
                    await self.redis.nodes_manager.initialize(last_failed_node_name=node.name)
                await self._send(sent, sent.groups_to_retry(failed))
        record_outage(sent)
        pairs = zip(commands, sent.replies, strict=True)
        return [await self._result(command, reply) for command, reply in pairs]

    async def _result(self, command: Command[Any], reply: Any) -> Any:
        try:
            is_final = not isinstance(reply, REDIRECTIONS)
            return parse_reply(command, reply) if is_final else await super().run(command)
        except Exception as error:  # noqa: BLE001 a command's own error is its result
            return error

    async def _send(self, sent: Round, groups: Mapping[Any, list[int]]) -> None:
        sending = (self._send_to(node, sent.commands(groups[node])) for node in groups)
        for numbers, replies in zip(groups.values(), await asyncio.gather(*sending), strict=True):
            sent.record(numbers, replies)

    async def _send_to(self, node: Any, commands: Sequence[Command[Any]]) -> list[Any]:
        sent = [PipelineCommand(n, *each.evalsha()) for n, each in enumerate(commands)]
        try:
            async with self._connection():
                await node.execute_pipeline(sent)
        except UNREACHABLE as error:
            return [error] * len(commands)
        return [each.result for each in sent]

    async def _execute(self, *words: str | int) -> Any:
        async with self._connection():
            return await super()._execute(*words)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._free.acquire()
        except TimeoutError:
            raise ConnectionError("No connection is free") from None
        try:
            yield
        finally:
            self._free.release()
