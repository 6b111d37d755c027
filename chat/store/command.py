"""A command: one Lua script with its keys, its arguments and a parser for its reply.

A command is a value. `chat.store.client` runs it, blocking or awaited, so that worker and web
process share one implementation. Every script may run twice with the same arguments: the second run
returns what the first one did. That makes it safe to retry after a lost reply.

A script returns `{status, name, value, name, value, ...}`; a list is a nested array.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
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
from chat.store.scripts import Script, load_script

T = TypeVar("T")
Arguments = dict[str, str | int]  # name in the script → value


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
    (`chat.store.redis_cluster`), and `merge` makes one value of theirs. With `is_partial`, buckets
    whose node is away are left out, so that others are swept, for example.
    """

    script: str
    keys: Keys
    arguments: Arguments
    parse: Callable[[Reply], T]
    merge: Callable[[Sequence[T]], T] | None = None
    is_partial: bool = False

    def evalsha(self) -> tuple[str | int, ...]:
        """Return the Redis command that runs the script if Redis has it."""
        script = self._load()
        return ("EVALSHA", script.digest, *self._values(script))

    def eval(self) -> tuple[str | int, ...]:
        """Return the Redis command that sends the script and runs it."""
        script = self._load()
        return ("EVAL", script.text, *self._values(script))

    def result(self, reply: Sequence[Any]) -> T:
        """Parse a script's reply; raises the error that it names."""
        parsed = Reply(reply[0], named(reply[1:]))
        raise_for_error(parsed)
        return self.parse(parsed)

    def _load(self) -> Script:
        return load_script(self.script, tuple(self.keys), tuple(self.arguments))

    def _values(self, script: Script) -> tuple[str | int, ...]:
        keys = [self.keys[name] for name in script.keys]
        return (len(keys), *keys, *self.arguments.values())


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
