"""A client of a Redis Cluster for tests that name keys as on a single server.

A key of a session is in the session's bucket. A shared one is in the bucket of the session among
the arguments; without one, the command runs in every bucket and the results are put together.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import redis

from chat.store.keys import ADDRESS_PREFIX
from chat.store.redis_cluster.buckets import bucket_of, in_slot, tags
from chat.store.redis_cluster.stores import ClusterStore

SESSION = re.compile(r"[0-9a-f]{32}")
ROUTED = {
    *("delete", "exists", "hdel", "hget", "hgetall", "hset", "pexpire", "pexpiretime", "pttl"),
    *("ttl", "type", "zadd", "zcount", "zincrby", "zrange", "zrem", "zscore", "set", "get"),
}


class StoreWithRenamedKeys(ClusterStore):
    """A store whose client translates names that tests write."""

    @property
    def redis(self) -> Any:  # type: ignore[override]
        return RenamingClient(super().redis)


class RenamingClient:
    """Passes everything on; names of keys are translated."""

    def __init__(self, client: redis.RedisCluster) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return _translating(found) if name in ROUTED else found

    def execute_command(self, *words: Any) -> Any:
        """Run a command; the names in scripts' commands are those of the cluster."""
        if str(words[0]).startswith("EVAL"):
            return self._client.execute_command(*words)
        run = _translating(lambda *rest: self._client.execute_command(words[0], *rest))
        return run(*words[1:])

    def scan_iter(self, pattern: str, **options: Any) -> Iterator[str]:
        """Yield names as on a single server."""
        prefix, brace, rest = pattern.partition("{")
        found = self._client.scan_iter(
            f"{prefix}{{*}}:{rest.replace('}', '', 1)}" if brace else pattern
        )
        for key in found:
            yield original(key)


def original(key: str) -> str:
    """Return the name that a key would have on a single server."""
    session = re.fullmatch(r"chat:{\d+}:([^:]+):(\w+)", key)
    return f"chat:{{{session[1]}}}:{session[2]}" if session else re.sub(r":{\d+}", "", key)


def _translating(run: Callable[..., Any]) -> Callable[..., Any]:
    def translated(*arguments: Any, **options: Any) -> Any:
        return _together(
            [
                run(*(_renamed(each, tag) for each in arguments), **options)
                for tag in _tags(arguments)
            ]
        )

    return translated


def _tags(arguments: tuple[Any, ...]) -> list[str]:
    key = re.search(r"{([^}]+)}", str(arguments[0]))
    lists = [list(each) if isinstance(each, dict) else [each] for each in arguments]
    names = [str(name) for each in lists for name in each]
    found = [key[1]] if key else [name for name in names if SESSION.fullmatch(name)]
    if found:
        return [tags()[bucket_of(found[0])]]
    # An address also has keys in a slot of its own.
    return [*tags(), *(name.split(":")[2] for name in names if name.startswith(ADDRESS_PREFIX))]


def _renamed(argument: Any, tag: str) -> Any:
    is_key = isinstance(argument, str) and argument.startswith("chat:")
    return in_slot(argument, tag) if is_key else argument


def _together(results: list[Any]) -> Any:
    if len(results) == 1:
        return results[0]
    if all(isinstance(each, list) for each in results):
        return [member for each in results for member in each]
    if all(isinstance(each, int) for each in results):
        return sum(results)
    return next((each for each in results if each is not None), None)
