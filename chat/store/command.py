"""What a step is, and the names of all keys in Redis.

A step is a value: which script, which keys, which arguments, and how to read the answer.
`chat.store` runs steps, blocking or awaited, so that the worker and the consumer share one
implementation. Every script may run twice with the same arguments and then tells what the first
run did, which makes a retry after a lost answer safe. The steps are in `chat.sessions` (what people
do), `chat.leases` (what a worker does with a reply) and `chat.service` (what concerns no one
session). No other module knows key names.

    chat:{ID}:document   RedisJSON: name, session_start, messages
    chat:{ID}:ids        hash: "human:<id>", "bot:<id>" → seq; "answer:<human id>", "last" → reply
    chat:{ID}:mailbox    list: ids of messages to answer, oldest first
    chat:{ID}:work       hash: the reply being written and its pieces; due time, attempts, stop
    chat:{ID}:partial    string: that reply's text so far
    chat:{ID}:lease      string: random value of the worker that writes, with a time of its own
    chat:{ID}:rate       string: when the next message would be on time (generic cell rate)
    chat:{ID}:sockets    sorted set: open sockets by their last sign of life
    chat:due             sorted set: sessions with something to answer, by when to look again
    chat:waiting         sorted set: those of them that no worker holds, by since when
    chat:pace            hash: how long replies took lately, and when one was begun or stored last
    chat:minute:<n>      hash: what happened in the n-th minute since 1970; kept for two hours
    chat:sockets         sorted set: all open sockets by their last sign of life
    chat:probe           string: written to see that writing works
    chat:proof:{NONCE}   string: a worker did the task that carries the nonce
    chat:swept           string: when the last sweep was
    chat:workers         sorted set: workers by their last sign of life
    chat:places          sorted set: workers by how many more replies they can write
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Generic, TypeVar

from chat.errors import MessageInvalid, RateLimited, SessionBusy, SessionUnknown, TooManySockets

T = TypeVar("T")
Answer = Sequence[str]
GRACE_MS = 1_500
SOCKET_TIMEOUT_MS = 20_000  # so long the sockets of a killed web process count
DOCUMENT_PREFIX = "chat:{"
SEARCH_INDEX = "chat:sessions:1"  # a new name whenever its fields change
SESSION_KEYS = ("document", "ids", "mailbox", "work", "partial", "lease", "rate", "sockets")
DUE_KEY = "chat:due"
MINUTE_KEY = "chat:minute"
SOCKETS_KEY = "chat:sockets"
PACE_KEY = "chat:pace"
WAITING_KEY = "chat:waiting"
WORKERS_KEY = "chat:workers"
SWEPT_KEY = "chat:swept"
PROBE_KEY = "chat:probe"
PLACES_KEY = "chat:places"


@dataclass(frozen=True)
class Command(Generic[T]):
    """One script run: `read` turns its answer into a value or raises a ChatError."""

    script: str
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]
    read: Callable[[Answer], T]


class LeaseLost(Exception):
    """Another worker holds the session now, or its answer is already stored."""


@cache
def source(script: str) -> str:
    """Return a script's text: its flags line, the prelude, its body."""
    folder = Path(__file__).parent / "lua"
    flags, _, body = (folder / f"{script}.lua").read_text().partition("\n")
    return "\n".join([flags, (folder / "prelude.lua").read_text(), body])


def session_keys(session: str) -> tuple[str, ...]:
    """Return the keys of every script, in the prelude's order."""
    own = (f"chat:{{{session}}}:{name}" for name in SESSION_KEYS)
    return (*own, DUE_KEY, MINUTE_KEY, WAITING_KEY, PACE_KEY)


def session_of(document_key: str) -> str:
    """Return whose document a key names."""
    return document_key.removeprefix(DOCUMENT_PREFIX).partition("}")[0]


def service_keys() -> tuple[str, ...]:
    """Return the keys of scripts about no one session."""
    return (*session_keys("service"), WORKERS_KEY, SOCKETS_KEY, SWEPT_KEY, PROBE_KEY, PLACES_KEY)


def proof_keys(nonce: str) -> tuple[str, ...]:
    return (*session_keys("service"), f"chat:proof:{nonce}")


def socket_keys(session: str, address: str) -> tuple[str, ...]:
    return (*session_keys(session), address_key("sockets", address), SOCKETS_KEY)


def address_key(name: str, address: str) -> str:
    return f"chat:address:{sha256(address.encode()).hexdigest()[:16]}:{name}"


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def refuse(answer: Answer) -> None:
    match answer[0]:
        case "unknown" | "gone":
            raise SessionUnknown
        case "busy":
            raise SessionBusy
        case "limited":
            raise RateLimited(ceil(int(answer[1]) / 1000))
        case "lost":
            raise LeaseLost
        case "full":
            raise TooManySockets
        case "absent":
            raise MessageInvalid("There is no such message in this session.")
        case "not_last":
            raise MessageInvalid("Only the last reply, or a failed one, can be written again.")
