"""The nodes of a Redis Cluster: their addresses, and which commands are sent to which node."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.exceptions import SlotNotCoveredError

from chat.errors import StoreUnavailable
from chat.store.command import Command
from chat.store.redis_cluster.buckets import address_check, slot_of

T = TypeVar("T")

CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
DEFAULT_PORT = 6379
UNREACHABLE = (redis.ConnectionError, redis.TimeoutError)


def is_cluster_url(url: str) -> bool:
    """Return whether a URL names nodes of a Redis Cluster."""
    return url.partition("://")[0] in CLUSTER_SCHEMES


def node_urls(url: str) -> list[str]:
    """Return a URL for each node that `redis+cluster://user:password@host:port,host:port` names."""
    scheme, _, rest = url.partition("://")
    credentials, at, hosts = rest.rstrip("/").rpartition("@")
    return [
        f"{scheme.removesuffix('+cluster')}://{credentials}{at}{host}" for host in hosts.split(",")
    ]


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a node's URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORT


def values_of(command: Command[T], results: Sequence[T | Exception]) -> list[T]:
    """Return the results of a command in all buckets; raises the first error.

    A partial command raises it only if it failed in all of them.
    """
    found: list[T] = [each for each in results if not isinstance(each, Exception)]
    failed = next((each for each in results if isinstance(each, Exception)), None)
    if failed and not (command.is_partial and found):
        raise failed
    return found


def address_checks(commands: Sequence[Command[Any]]) -> dict[int, Command[None]]:
    """Return what has to run before the commands, by their numbers."""
    found = ((n, address_check(each)) for n, each in enumerate(commands))
    return {n: check for n, check in found if check}


def refusals_by_number(checks: Iterable[int], results: Iterable[Any]) -> dict[int, Exception]:
    """Return which checks of addresses refused their commands; not those whose node is away."""
    pairs = zip(checks, results, strict=True)
    return {
        n: result
        for n, result in pairs
        if isinstance(result, Exception) and not isinstance(result, StoreUnavailable)
    }


class Round:
    """Commands that are sent at the same time, and the replies to them.

    A reply may be an error, also the one of its node.
    """

    def __init__(self, nodes: Any, commands: Sequence[Command[Any]]) -> None:
        self._nodes = nodes  # redis-py's NodesManager
        self._commands = commands
        self.replies: list[Any] = [None] * len(commands)
        self._node_of: dict[int, Any] = {}

    def groups(self, numbers: Iterable[int] | None = None) -> dict[Any, list[int]]:
        """Return the numbers of the commands to send to each node."""
        groups = defaultdict(list)
        for n in range(len(self._commands)) if numbers is None else numbers:
            try:
                node = self._nodes.get_node_from_slot(slot_of(self._commands[n]))
            except SlotNotCoveredError as error:
                self.replies[n] = error
            else:
                self._node_of[n] = node
                groups[node].append(n)
        return groups

    def commands(self, numbers: Iterable[int]) -> list[Command[Any]]:
        return [self._commands[n] for n in numbers]

    def record(self, numbers: Iterable[int], replies: Iterable[Any]) -> None:
        for n, reply in zip(numbers, replies, strict=True):
            self.replies[n] = reply

    def failed(self) -> dict[int, Any]:
        """Return the nodes that did not respond, by the number of each command for them."""
        return {
            n: node for n, node in self._node_of.items() if isinstance(self.replies[n], UNREACHABLE)
        }

    def groups_to_retry(self, failed: Mapping[int, Any]) -> dict[Any, list[int]]:
        """Return what to send again, with the new topology.

        A node that was too slow is not asked again: that would take as long once more.
        """
        slow = {n for n in failed if isinstance(self.replies[n], redis.TimeoutError)}
        groups = self.groups(failed)
        return {
            node: retried
            for node, numbers in groups.items()
            if (retried := [n for n in numbers if n not in slow or node != failed[n]])
        }
