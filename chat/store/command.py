"""A command: one Lua script with its keys, its arguments and a parser for its reply.

A command is a value. `chat.store.client` runs it, blocking or awaited, so that worker and web
process share one implementation. Every script may run twice with the same arguments: the second run
returns what the first one did. That makes it safe to retry after a lost reply.

Keys and arguments reach the script by name: `source` declares each key as a local variable and each
argument as a field of the table `arg`, in the order in which they are sent. A script returns
`{status, name, value, name, value, ...}`; a list is a nested array.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from math import ceil
from pathlib import Path
from typing import Any, Generic, TypeVar

from chat.errors import (
    MessageInvalid,
    RateLimited,
    ReplyInProgress,
    SessionBusy,
    SessionFull,
    SessionUnknown,
    StoreFull,
    TooManySockets,
)
from chat.store.keys import Keys

T = TypeVar("T")
Arguments = dict[str, str | int]  # name in the script → value
LUA = Path(__file__).parent / "lua"


class LeaseLost(Exception):
    """Another worker holds the session now, or its reply is already stored."""


class NotJoined(Exception):
    """The operator does not answer this session, or no longer does."""


@dataclass(frozen=True)
class Reply:
    """What a script returned: a status and named fields."""

    status: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True)
class Command(Generic[T]):
    """One run of a script; `parse` turns its reply into a value.

    A command with `merge` concerns the whole deployment: on a Redis Cluster it runs in each bucket
    (`chat.store.buckets`), and `merge` makes one value of theirs. With `is_partial`, buckets whose
    node is away are left out, so that others are swept, for example.
    """

    script: str
    keys: Keys
    arguments: Arguments
    parse: Callable[[Reply], T]
    merge: Callable[[Sequence[T]], T] | None = None
    is_partial: bool = False

    def evalsha(self) -> tuple[str | int, ...]:
        """Return the Redis command that runs the script if Redis has it."""
        return ("EVALSHA", digest(*self._names()), *self._values())

    def eval(self) -> tuple[str | int, ...]:
        """Return the Redis command that sends the script and runs it."""
        return ("EVAL", source(*self._names()), *self._values())

    def result(self, reply: Sequence[Any]) -> T:
        """Parse a script's reply; raises the error that it names."""
        parsed = Reply(reply[0], named(reply[1:]))
        raise_for_error(parsed)
        return self.parse(parsed)

    def _names(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        return self.script, tuple(self.keys), tuple(self.arguments)

    def _values(self) -> tuple[str | int, ...]:
        return (len(self.keys), *self.keys.values(), *self.arguments.values())


@cache
def source(script: str, keys: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """Return a script's text: its flags line, its keys and arguments by name, prelude, body."""
    # Redis accepts the flags only in the first line:
    # https://redis.io/docs/latest/develop/programmability/eval-intro/#eval-flags
    flags, _, body = (LUA / f"{script}.lua").read_text().partition("\n")
    key_values = ", ".join(f"KEYS[{number}]" for number in range(1, len(keys) + 1))
    members = (f"{name} = ARGV[{number}]" for number, name in enumerate(arguments, start=1))
    return "\n".join(
        [
            flags,
            f"local {', '.join(keys)} = {key_values}",
            f"local arg = {{{', '.join(members)}}}",
            (LUA / "prelude.lua").read_text(),
            body,
        ]
    )


@cache
def digest(script: str, keys: tuple[str, ...], arguments: tuple[str, ...]) -> str:
    """Return the SHA-1 digest by which Redis names a script."""
    text = source(script, keys, arguments)
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def named(flat: Sequence[Any]) -> dict[str, Any]:
    """Return a dictionary of an array of names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def no_value(reply: Reply) -> None:
    """Parse the reply of a command that returns nothing."""


def merge_nothing(values: Sequence[None]) -> None:
    """Merge the values of a command that returns nothing."""


def joined(values: Sequence[tuple[T, ...]]) -> tuple[T, ...]:
    """Merge tuples into one that contains all their members."""
    return tuple(member for value in values for member in value)


def raise_for_error(reply: Reply) -> None:
    match reply.status:
        case "unknown":
            raise SessionUnknown
        case "session_full":
            raise SessionFull
        case "busy":
            raise SessionBusy
        case "limited":
            raise RateLimited(ceil(reply["retry_after_ms"] / 1000))
        case "lost":
            raise LeaseLost
        case "not_joined":
            raise NotJoined
        case "full_store":
            raise StoreFull
        case "full":
            raise TooManySockets
        case "absent":
            raise MessageInvalid("There is no such message in this session.")
        case "not_rateable":
            raise MessageInvalid("Only a reply to a message can be rated, unless it failed.")
        case "answering":
            raise ReplyInProgress
        case "replaced":
            raise MessageInvalid("This message was replaced already.")
        case "not_replaced":
            raise MessageInvalid("This message is not replaced.")
        case "not_version":
            raise MessageInvalid("There is no such version of a message of this conversation.")
        case "not_continuable":
            raise MessageInvalid("Only the last reply can be continued, if it was cut off.")
        case "not_last":
            raise MessageInvalid("Only the last reply or a failed one can be regenerated.")
