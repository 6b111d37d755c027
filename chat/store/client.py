"""Runs the steps of `chat.sessions` on Redis: blocking for workers, awaited for the web process.

Every failure of Redis becomes StoreUnavailable, within a bounded time.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from typing import Any, TypeVar, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from chat.errors import StoreUnavailable
from chat.observability import metrics
from chat.store.command import Command, source

T = TypeVar("T")
logger = logging.getLogger(__name__)

TIMEOUT_S = 2
RETRIES = 1


def _options(connections: int) -> dict[str, Any]:
    """RESP2 on purpose, bounded waits, a pool that blocks instead of failing."""
    return {
        "protocol": 2,
        "decode_responses": True,
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "health_check_interval": 15,
        "max_connections": connections,
        "timeout": TIMEOUT_S,
    }


class Store:
    """Runs steps and waits for them. Threads may share it."""

    def __init__(self, url: str, connections: int) -> None:
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES)
        pool = redis.BlockingConnectionPool.from_url(url, retry=retry, **_options(connections))
        self.redis = redis.Redis.from_pool(pool)

    def run(self, command: Command[T]) -> T:
        """Run one step; raises what the step names, and StoreUnavailable."""
        with translate_redis_errors(command.script):
            try:
                answer = self.redis.execute_command("EVALSHA", *_bydigest(command))
            except NoScriptError:
                answer = self.redis.execute_command("EVAL", *_by_text(command))
        return command.read(cast(Sequence[str], answer))

    def run_all(self, commands: Sequence[Command[T]]) -> list[T | Exception]:
        """Run steps in one round trip; a step that raises gives its exception as its result."""
        with translate_redis_errors("several"), self.redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command("EVALSHA", *_bydigest(command))
            answers = pipeline.execute(raise_on_error=False)
        results: list[T | Exception] = []
        for command, answer in zip(commands, answers, strict=True):
            result = self._result(command, answer)
            results.append(result)
        return results

    def _result(self, command: Command[T], answer: Any) -> T | Exception:
        try:
            if isinstance(answer, NoScriptError):
                return self.run(command)
            if isinstance(answer, RedisError):
                return StoreUnavailable()
            return command.read(answer)
        except Exception as error:  # noqa: BLE001 a step's own refusal is its result
            return error


class AsyncStore:
    """Runs steps without holding up the event loop."""

    def __init__(self, url: str, connections: int) -> None:
        retry = AsyncRetry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES)
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, retry=retry, **_options(connections)
        )
        self.redis = redis.asyncio.Redis.from_pool(pool)

    async def run(self, command: Command[T]) -> T:
        """Run one step; raises what the step names, and StoreUnavailable."""
        with translate_redis_errors(command.script):
            try:
                answer = await self.redis.execute_command("EVALSHA", *_bydigest(command))
            except NoScriptError:
                answer = await self.redis.execute_command("EVAL", *_by_text(command))
        return command.read(cast(Sequence[str], answer))


# For `execute_command`: redis-py's `evalsha` looks at every argument once more, a tenth of a
# worker's time.
def _bydigest(command: Command[Any]) -> tuple[Any, ...]:
    return (digest(command.script), len(command.keys), *command.keys, *command.arguments)


def _by_text(command: Command[Any]) -> tuple[Any, ...]:
    return (source(command.script), len(command.keys), *command.keys, *command.arguments)


@cache
def digest(script: str) -> str:
    """Return the name under which Redis keeps a script."""
    return sha1(source(script).encode()).hexdigest()  # noqa: S324 Redis names scripts by SHA-1


@contextmanager
def translate_redis_errors(script: str) -> Iterator[None]:
    """Turn every failure of Redis inside the block into StoreUnavailable."""
    """Turn every failure of Redis inside the block into StoreUnavailable."""
    started_at = time.perf_counter()
    try:
        yield
        metrics.command_done(script, time.perf_counter() - started_at)
    except RedisError as error:
        metrics.command_failed(script)
        logger.warning("Redis refused %s: %s", script, type(error).__name__)
        raise StoreUnavailable from error
