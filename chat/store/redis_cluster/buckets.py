"""Where keys are on a Redis Cluster: in buckets, each of which is in one hash slot.

A script can only touch keys of one slot. So each session is in one of BUCKETS buckets, with all of
its keys and with the shared ones that its commands change. Their names contain the bucket's hash
tag:

    chat:{ID}:document  →  chat:{TAG}:ID:document
    chat:due            →  chat:due:{TAG}

What concerns the whole deployment runs in every bucket (`Command.merge`) or, if one place is
enough, in the first one. Limits of an address would be as many times larger as there are buckets:
`address_check` returns a command that counts in a slot of the address's own. The session's command
counts in its bucket as well, never more than that. While the node of the address's slot is away,
only that limit remains, so that sessions on other nodes go on.

The number of buckets and their tags never change: the names of stored keys depend on them.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar
from zlib import crc32

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from chat.store.command import Arguments, Command, no_value
from chat.store.keys import Keys, address_keys, owner_of

T = TypeVar("T")

BUCKETS = 64
# The limit's argument of each rate of an address, by the name of its key.
REQUEST_RATES = {
    "rate": "per_minute",
    "address_messages": "per_minute_per_ip",
    "address_shares": "per_minute",
}
BYTE_RATES = {"address_bytes": "bytes_per_minute_per_ip", "address_shared": "max_bytes"}


def bucket_of(id: str) -> int:
    """Return the bucket of a session, or of a share."""
    return crc32(id.encode()) % BUCKETS


@cache
def tags() -> tuple[str, ...]:
    """Return the hash tag of each bucket. Their slots are spread evenly, so nodes get equal shares.

    A tag is the smallest number whose slot is in the bucket's part of all slots.
    """
    found: dict[int, str] = {}
    number = 0
    while len(found) < BUCKETS:
        part = key_slot(str(number).encode()) * BUCKETS // REDIS_CLUSTER_HASH_SLOTS
        found.setdefault(part, str(number))
        number += 1
    return tuple(found[part] for part in range(BUCKETS))


def in_slot(key: str, tag: str) -> str:
    """Return a key's name on a cluster, with this hash tag."""
    prefix, brace, rest = key.partition("{")
    return f"{prefix}{{{tag}}}:{rest.replace('}', '', 1)}" if brace else f"{key}:{{{tag}}}"


def in_bucket(command: Command[T], bucket: int) -> Command[T]:
    """Return a command with the names of its keys in a bucket."""
    tag = tags()[bucket]
    keys = {name: in_slot(key, tag) for name, key in command.keys.items()}
    return replace(command, keys=keys)


def in_own_bucket(command: Command[T]) -> Command[T]:
    """Return a command with the names of its keys in its session's bucket, or else in the first."""
    owner = owner_of(command.keys)
    return in_bucket(command, 0 if owner is None else bucket_of(owner))


def in_all_buckets(command: Command[T]) -> Iterator[Command[T]]:
    """Yield a command that concerns the whole deployment once for each bucket."""
    for bucket in range(BUCKETS):
        yield in_bucket(command, bucket)


def slot_of(command: Command[Any]) -> int:
    """Return the slot of a command's keys."""
    return key_slot(next(iter(command.keys.values())).encode())


def address_check(command: Command[Any]) -> Command[None] | None:
    """Return what has to run before a command that counts in limits of an address; else None.

    It is a command of its own, so a message that is then refused, or sent again by a client, has
    counted. The bytes of a version that becomes current again count in its bucket only: nobody
    knows them before.
    """
    keys = _in_slot_of_address(address_keys(command.keys))
    if not keys:
        return None
    if "address_sockets" in keys:
        return Command(f"{command.script}_of_address", keys, command.arguments, no_value)
    arguments = command.arguments
    rates = {name: (arguments[limit], 1) for name, limit in REQUEST_RATES.items() if name in keys}
    if "body" in arguments:
        size = len(str(arguments["body"]).encode())
        rates |= {
            name: (arguments[limit], size) for name, limit in BYTE_RATES.items() if name in keys
        }
    limits: Arguments = {f"{name}_limit": limit for name, (limit, _) in rates.items()}
    costs: Arguments = {f"{name}_cost": cost for name, (_, cost) in rates.items()}
    return Command("count_address", {name: keys[name] for name in rates}, limits | costs, no_value)


def address_release(command: Command[Any]) -> Command[None] | None:
    """Return what undoes `address_check` if the command then fails, None if nothing does.

    Messages have counted, as above. A socket is removed again.
    """
    if command.script != "register_socket":
        return None
    keys = _in_slot_of_address(address_keys(command.keys))
    arguments = {"socket": command.arguments["socket"]}
    return Command("unregister_socket_of_address", keys, arguments, no_value)


def _in_slot_of_address(keys: Keys) -> Keys:
    """Return the names of an address's keys in its own slot; the address is their third part."""
    return {name: in_slot(key, key.split(":")[2]) for name, key in keys.items()}
