"""Stores that acknowledge what visitors were promised only once replicas have it.

Without them, what the primary has acknowledged but not yet replicated is lost when another server
takes its place. `WAIT` counts the replicas that have everything up to the connection's last write,
so it follows the script in one pipeline, which uses one connection. The scripts in ACKNOWLEDGED
also write if they run a second time: otherwise, a retry would count the replicas that have older
writes only. A load waits as well, after a write of its own, because sockets acknowledge a message
that they find in the history.

https://redis.io/docs/latest/commands/wait/
"""

import contextlib
import logging
from collections.abc import Sequence
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from chat.errors import StoreUnavailable
from chat.observability import metrics
from chat.observability.outage import Outage
from chat.store.client import NO_TLS, AsyncStore, Store, translate_redis_errors
from chat.store.command import Command, no_value
from chat.store.connections import AsyncSentinelPool, SentinelPool, Tls

T = TypeVar("T")
logger = logging.getLogger(__name__)

outage = Outage(logger, "Too few replicas have the writes", "Replicas have the writes again")
# Below the time limit of a command.
TIMEOUT_MS = 1000
ACKNOWLEDGED = frozenset(
    {"create", "accept", "commit", "say", "stop", "regenerate", "choose", "erase"}
)
LOADED = frozenset({"load"})


class TooFewReplicas(Exception):
    """Fewer replicas than demanded have a write after TIMEOUT_MS."""


class ReplicatedStore(Store):
    """A store whose acknowledged commands wait for `min_replicas` replicas."""

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS, *, min_replicas: int) -> None:
        super().__init__(url, connections, tls)
        self._min_replicas = min_replicas

    def run(self, command: Command[T]) -> T:
        """Run a command; raises also StoreUnavailable if too few replicas have its writes."""
        if command.script not in ACKNOWLEDGED | LOADED:
            return super().run(command)
        with translate_redis_errors(command.script):
            replies = self._execute([each.evalsha() for each in scripts(command)])
            if is_unknown(replies):
                replies = self._execute([each.eval() for each in scripts(command)])
            reply, replicas = checked(replies)
        result = command.result(reply)
        if replicas < self._min_replicas:
            self._leave_primary()
            raise too_few(command, replicas)
        outage.succeeded()
        return result

    def _execute(self, runs: Sequence[tuple[str | int, ...]]) -> list[Any]:
        with self.redis.pipeline(transaction=False) as pipeline:
            for run in runs:
                pipeline.execute_command(*run)
            pipeline.execute_command("WAIT", self._min_replicas, TIMEOUT_MS)
            return pipeline.execute(raise_on_error=False)

    def _leave_primary(self) -> None:
        """Ask another Sentinel: replicas may have left this primary for another one."""
        pool = self.redis.connection_pool
        if isinstance(pool, SentinelPool):
            pool.sentinel_manager.ask_another()
            with contextlib.suppress(RedisConnectionError):
                pool.get_master_address()  # type: ignore[no-untyped-call]


class AsyncReplicatedStore(AsyncStore):
    """The same for the event loop."""

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS, *, min_replicas: int) -> None:
        super().__init__(url, connections, tls)
        self._min_replicas = min_replicas

    async def run(self, command: Command[T]) -> T:
        """Run a command; raises also StoreUnavailable if too few replicas have its writes."""
        if command.script not in ACKNOWLEDGED | LOADED:
            return await super().run(command)
        with translate_redis_errors(command.script):
            replies = await self._execute_all([each.evalsha() for each in scripts(command)])
            if is_unknown(replies):
                replies = await self._execute_all([each.eval() for each in scripts(command)])
            reply, replicas = checked(replies)
        result = command.result(reply)
        if replicas < self._min_replicas:
            await self._leave_primary()
            raise too_few(command, replicas)
        outage.succeeded()
        return result

    async def _execute_all(self, runs: Sequence[tuple[str | int, ...]]) -> list[Any]:
        pipeline = self.redis.pipeline(transaction=False)
        for run in runs:
            pipeline.execute_command(*run)
        pipeline.execute_command("WAIT", self._min_replicas, TIMEOUT_MS)
        return await pipeline.execute(raise_on_error=False)

    async def _leave_primary(self) -> None:
        pool = self.redis.connection_pool
        if isinstance(pool, AsyncSentinelPool):
            pool.sentinel_manager.ask_another()
            with contextlib.suppress(RedisConnectionError):
                await pool.get_master_address()  # type: ignore[no-untyped-call]


def scripts(command: Command[Any]) -> list[Command[Any]]:
    """Return what runs before WAIT: the command, after a write if it has none itself."""
    write = Command("write_again", command.keys, {}, no_value)
    return [write, command] if command.script in LOADED else [command]


def is_unknown(replies: list[Any]) -> bool:
    """Return whether Redis does not have one of the scripts."""
    return any(isinstance(reply, NoScriptError) for reply in replies)


def checked(replies: list[Any]) -> list[Any]:
    """Return the last two replies; raise the error that a pipeline returned in place of one."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies[-2:]


def too_few(command: Command[Any], replicas: int) -> StoreUnavailable:
    """Record that too few replicas have a command's writes; return the error for the visitor."""
    metrics.store_command_failures.labels(command.script).inc()
    cause = TooFewReplicas(f"{replicas} within {TIMEOUT_MS} ms")
    outage.failed(cause)
    error = StoreUnavailable()
    error.__cause__ = cause
    return error
