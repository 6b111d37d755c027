"""Run commands on Redis: blocking for workers, awaited for the web process.

Every failure of Redis becomes StoreUnavailable, within a bounded time.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
)
from redis.retry import Retry

from chat.errors import StoreFull, StoreUnavailable
from chat.observability import metrics
from chat.observability.outage import Outage
from chat.store.command import Command
from chat.store.connections import Tls, async_pool, blocking_pool

T = TypeVar("T")
NO_TLS: Tls = {}
logger = logging.getLogger(__name__)

outage = Outage(logger, "Redis does not respond", "Redis responds again")
TIMEOUT_S = 2
RETRIES = 1


# Of these, RedisClusterException is not a RedisError.
AWAY = (redis.ConnectionError, redis.TimeoutError, ClusterError, RedisClusterException)


def options(connections: int, tls: Tls) -> dict[str, Any]:
    return {
        **tls,
        # redis-py's default is RESP3, in which some replies have another shape.
        "protocol": 2,
        "decode_responses": True,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "health_check_interval": 15,
        # A BlockingConnectionPool waits up to `timeout` for a free connection.
        "max_connections": connections,
        "timeout": TIMEOUT_S,
    }


# Commands use `execute_command`, because redis-py's `evalsha` inspects every argument again, which
# takes a tenth of a worker's CPU time.
class Store:
    """Runs commands and waits for them. Threads may share it."""

    buckets = 1

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS) -> None:
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES)
        pool = blocking_pool(url, retry=retry, **options(connections, tls))
        self.redis = redis.Redis.from_pool(pool)

    def servers(self, *, replicas: bool = False) -> list[redis.Redis]:
        """Return a client for each server with sessions; `replicas` are those of a cluster."""
        return [self.redis]

    def name_on(self, server: redis.Redis, name: str) -> str:
        """Return a name for something of which each server has its own, such as an index."""
        return name

    def run(self, command: Command[T]) -> T:
        """Run a command; raises the error that its reply names, or StoreUnavailable."""
        reply: Any
        with translate_redis_errors(command.script):
            try:
                reply = self.redis.execute_command(*command.evalsha())
            except NoScriptError:
                reply = self.redis.execute_command(*command.eval())
        return command.result(reply)

    def run_all(self, commands: Sequence[Command[T]]) -> list[T | Exception]:
        """Run commands in one round trip; the result of one that fails is its exception."""
        with translate_redis_errors("several"), self.redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command.evalsha())
            replies = pipeline.execute(raise_on_error=False)
        results = map(self._result, commands, replies)
        return list(results)

    def _result(self, command: Command[T], reply: Any) -> T | Exception:
        try:
            return self.run(command) if _is_unknown(reply) else parse_reply(command, reply)
        except Exception as error:  # noqa: BLE001 a command's own error is its result
            return error


class AsyncStore:
    """Runs commands without blocking the event loop."""

    buckets = 1

    def __init__(self, url: str, connections: int, tls: Tls = NO_TLS) -> None:
        retry = AsyncRetry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES)
        pool = async_pool(url, retry=retry, **options(connections, tls))
        self.redis = redis.asyncio.Redis.from_pool(pool)

    async def run(self, command: Command[T]) -> T:
        """Run a command; raises the error that its reply names, or StoreUnavailable."""
        with translate_redis_errors(command.script):
            try:
                reply = await self._execute(*command.evalsha())
            except NoScriptError:
                reply = await self._execute(*command.eval())
        return command.result(reply)

    async def _execute(self, *words: str | int) -> Any:
        return await self.redis.execute_command(*words)

    async def run_all(self, commands: Sequence[Command[T]]) -> list[T | Exception]:
        """Run commands in one round trip; the result of one that fails is its exception."""
        pipeline = self.redis.pipeline(transaction=False)
        with translate_redis_errors("several"):
            for command in commands:
                pipeline.execute_command(*command.evalsha())
            replies = await pipeline.execute(raise_on_error=False)
        results: list[T | Exception] = []
        for command, reply in zip(commands, replies, strict=True):
            result = await self._result(command, reply)
            results.append(result)
        return results

    async def _result(self, command: Command[T], reply: Any) -> T | Exception:
        try:
            result = await self.run(command) if _is_unknown(reply) else parse_reply(command, reply)
        except Exception as error:  # noqa: BLE001 a command's own error is its result
            return error
        return result


def _is_unknown(reply: Any) -> bool:
    return isinstance(reply, NoScriptError)


def parse_reply(command: Command[T], reply: Any) -> T:
    """Parse the reply to one of several commands; raises its error, or StoreUnavailable."""
    if isinstance(reply, RedisError | RedisClusterException):
        raise StoreUnavailable from reply
    return command.result(reply)


@cache
def refusals(command: str) -> Outage:
    """Return the outage of a command that Redis refuses, for example because it is full."""
    return Outage(logger, f"Redis refuses {command}", f"Redis executes {command} again")


@contextmanager
def translate_redis_errors(command: str) -> Iterator[None]:
    """Turn every failure of Redis inside the block into StoreUnavailable.

    Without memory for a new session, it is StoreFull: unlike a message, it is not sent again.
    """
    started_at = time.perf_counter()
    try:
        yield
        metrics.store_command_seconds.labels(command).observe(time.perf_counter() - started_at)
        outage.succeeded()
        refusals(command).succeeded()
    except (RedisError, RedisClusterException) as error:
        metrics.store_command_failures.labels(command).inc()
        (outage if isinstance(error, AWAY) else refusals(command)).failed(error)
        if command == "create" and isinstance(error, OutOfMemoryError):
            raise StoreFull from error
        raise StoreUnavailable from error
