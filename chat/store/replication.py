"""Stores that acknowledge what visitors were promised only once replicas have it.

Without them, what the primary has acknowledged but not yet replicated is lost when another server
takes its place. `WAIT` counts the replicas that have everything up to the connection's last write,
so it follows the script in one pipeline, which uses one connection. The scripts in ACKNOWLEDGED
also write if they run a second time: otherwise, a retry would count the replicas that have older
writes only.

https://redis.io/docs/latest/commands/wait/
"""

import contextlib
import logging
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from chat.errors import StoreUnavailable
from chat.observability import metrics
from chat.observability.outage import Outage
from chat.store.client import NO_TLS, AsyncStore, Store, translate_redis_errors
from chat.store.command import Command
from chat.store.connections import AsyncSentinelPool, SentinelPool, Tls

T = TypeVar("T")
logger = logging.getLogger(__name__)

outage = Outage(logger, "Too few replicas have the writes", "Replicas have the writes again")
# Below the time limit of a command.
TIMEOUT_MS = 1000
ACKNOWLEDGED = frozenset(
    {"create", "accept", "commit", "say", "stop", "regenerate", "choose", "erase"}
)


class TooFewReplicas(Exception):
    """Fewer replicas than demanded have a write after TIMEOUT_MS."""


class ReplicatedStore(Store):
    """A store whose acknowledged commands wait for `min_replicas` replicas."""

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS, *, min_replicas: int) -> None:
        super().__init__(url, connections, tls)
        self._min_replicas = min_replicas

    def run(self, command: Command[T]) -> T:
        """Run a command; raises also StoreUnavailable if too few replicas have its writes."""
        if command.script not in ACKNOWLEDGED:
            return super().run(command)
        with translate_redis_errors(command.script):
            reply, replicas = self._execute_and_wait(command.evalsha())
            if isinstance(reply, NoScriptError):
                reply, replicas = self._execute_and_wait(command.eval())
            raise_error(reply)
        result = command.result(reply)
        if replicas < self._min_replicas:
            self._leave_primary()
            raise too_few(command, replicas)
        outage.succeeded()
        return result

    def _execute_and_wait(self, script: tuple[str | int, ...]) -> Any:
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*script)
            pipeline.execute_command("WAIT", self._min_replicas, TIMEOUT_MS)
            return pipeline.execute(raise_on_error=False)

    def _leave_primary(self) -> None:
        """Ask the Sentinels: replicas may have left this primary for another one."""
        pool = self.redis.connection_pool
        if isinstance(pool, SentinelPool):
            with contextlib.suppress(RedisConnectionError):
                pool.get_master_address()  # type: ignore[no-untyped-call]


class AsyncReplicatedStore(AsyncStore):
    """The same for the event loop."""

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS, *, min_replicas: int) -> None:
        super().__init__(url, connections, tls)
        self._min_replicas = min_replicas

    async def run(self, command: Command[T]) -> T:
        """Run a command; raises also StoreUnavailable if too few replicas have its writes."""
        if command.script not in ACKNOWLEDGED:
            return await super().run(command)
        with translate_redis_errors(command.script):
            reply, replicas = await self._execute_and_wait(command.evalsha())
            if isinstance(reply, NoScriptError):
                reply, replicas = await self._execute_and_wait(command.eval())
            raise_error(reply)
        result = command.result(reply)
        if replicas < self._min_replicas:
            await self._leave_primary()
            raise too_few(command, replicas)
        outage.succeeded()
        return result

    async def _execute_and_wait(self, script: tuple[str | int, ...]) -> Any:
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.execute_command(*script)
        pipeline.execute_command("WAIT", self._min_replicas, TIMEOUT_MS)
        return await pipeline.execute(raise_on_error=False)

    async def _leave_primary(self) -> None:
        pool = self.redis.connection_pool
        if isinstance(pool, AsyncSentinelPool):
            with contextlib.suppress(RedisConnectionError):
                await pool.get_master_address()  # type: ignore[no-untyped-call]


def raise_error(reply: Any) -> None:
    """Raise the error of Redis that a pipeline returned in place of a reply."""
    if isinstance(reply, Exception):
        raise reply


def too_few(command: Command[Any], replicas: int) -> StoreUnavailable:
    """Record that too few replicas have a command's writes; return the error for the visitor."""
    metrics.store_command_failures.labels(command.script).inc()
    cause = TooFewReplicas(f"{replicas} within {TIMEOUT_MS} ms")
    outage.failed(cause)
    error = StoreUnavailable()
    error.__cause__ = cause
    return error
