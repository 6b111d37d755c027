"""Commands for operators: summaries, inspection and requeueing. Only `requeue` writes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from chat.schemas import Rating, show_invisible
from chat.store.client import Store, translate_redis_errors
from chat.store.command import Arguments, Command, Reply, joined, named
from chat.store.keys import DOCUMENT_PATTERN, listing_keys, session_keys, session_of
from chat.store.timing import SOCKET_TIMEOUT_MS, instant, to_ms

T = TypeVar("T")

MAX_BUSY_SESSIONS = 5_000
SCAN_COUNT = 2_000
FIRST_MESSAGE_CHARS = 200
NO_EXPIRY_MS = -1
# How `dump` parses values, by the names in the script's reply.
DUMP_PARSERS: dict[str, Callable[[Any], Any]] = {
    "json": json.loads,
    "hashes": named,
    "lists": list,
    "strings": str,
    "sorted_sets": lambda pairs: {name: float(score) for name, score in named(pairs).items()},
}


class State(StrEnum):
    """State of a session in the admin."""

    IDLE = "idle"
    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"


@dataclass(frozen=True)
class Summary:
    """A session in a list.

    `first_message` is the beginning of the first one. `failures` are the codes of all its failed
    replies, `ratings` those that visitors gave. `operator` is the name of the person who answers.
    """

    id: str
    name: str
    first_message: str
    started: datetime
    last: datetime | None
    messages: int
    pending: int
    in_progress: bool
    failed: bool
    failures: tuple[str, ...]
    ratings: tuple[Rating, ...]
    sockets: int
    remaining_s: float
    operator: str | None = None

    @property
    def good(self) -> int:
        """Return how many replies the visitor rated as good."""
        return self.ratings.count("up")

    @property
    def bad(self) -> int:
        """Return how many replies the visitor rated as bad."""
        return self.ratings.count("down")

    @property
    def state(self) -> State:
        """Return the current state."""
        if self.pending:
            return State.IN_PROGRESS if self.in_progress else State.WAITING
        return State.FAILED if self.failed else State.IDLE


@dataclass(frozen=True)
class Socket:
    """An open socket, and the seconds since its last heartbeat."""

    name: str
    silent_s: float


@dataclass(frozen=True)
class Queued:
    """A waiting message, and the seconds since its reply was requested."""

    message: str
    waited_s: float
    attempts: int
    stop_requested: bool


@dataclass(frozen=True)
class Inspection:
    """Details for operators. `worker` has held the lease for `taken_s` seconds; None if free."""

    worker: str | None
    taken_s: float
    sockets: tuple[Socket, ...]
    queue: tuple[Queued, ...]


@dataclass(frozen=True)
class BusySession:
    """A session with unanswered messages; `in_progress` if a worker holds its lease."""

    session: str
    in_progress: bool
    messages: int


def summary(session: str) -> Command[Summary | None]:
    """Load the summary of a session; None if it does not exist."""

    def parse(reply: Reply) -> Summary | None:
        if reply.status == "gone":
            return None
        head = json.loads(reply["head"])
        first = head["$.messages[0].msg"]
        last = head["$.messages[-1].timestamp"]
        return Summary(
            id=session,
            # Old names may contain what new ones may not.
            name=show_invisible(head["$.name"][0]),
            first_message=show_invisible(first[0][:FIRST_MESSAGE_CHARS]) if first else "",
            started=instant(head["$.session_start"][0]),
            last=instant(last[0]) if last else None,
            messages=reply["messages"],
            pending=reply["pending"],
            in_progress=bool(reply["held"]),
            failed=bool(head["$.messages[-1].error.code"]),
            failures=tuple(head["$.messages[*].error.code"]),
            ratings=tuple(head["$.messages[*].rating"]),
            sockets=reply["sockets"],
            remaining_s=reply["remaining_ms"] / 1000,
            operator=reply["operator"] or None,
        )

    arguments: Arguments = {"session": session, "socket_timeout_ms": SOCKET_TIMEOUT_MS}
    return Command("summary", session_keys(session), arguments, parse)


def document_fields(session: str, paths: Mapping[str, str]) -> Command[dict[str, list[Any]] | None]:
    """Load values of a session's document by at least two JSON paths; None if it does not exist.

    Returns a list for each name in `paths`, since a path may match several values or none.
    """

    def parse(reply: Reply) -> dict[str, list[Any]] | None:
        if reply.status == "gone":
            return None
        found = json.loads(reply["values"])
        return {name: found[path] for name, path in paths.items()}

    arguments: Arguments = {"paths": json.dumps(list(paths.values()))}
    return Command("document_fields", session_keys(session), arguments, parse)


def inspect(session: str) -> Command[Inspection]:
    """Load a session's queue, lease holder and sockets; raises SessionUnknown."""

    def parse(reply: Reply) -> Inspection:
        return Inspection(
            # A lease's value begins with the worker's name.
            worker=(reply["lease"] or "").partition(" ")[0] or None,
            taken_s=reply["taken_ms"] / 1000,
            sockets=tuple(
                Socket(name, silent_ms / 1000)
                for name, silent_ms in named(reply["sockets"]).items()
            ),
            queue=tuple(
                Queued(
                    message=row["message"],
                    waited_s=row["waited_ms"] / 1000,
                    attempts=row["attempts"],
                    stop_requested=bool(row["stop_requested"]),
                )
                for row in map(named, reply["queue"])
            ),
        )

    arguments: Arguments = {"socket_timeout_ms": SOCKET_TIMEOUT_MS}
    return Command("inspect", session_keys(session), arguments, parse)


def busy_sessions() -> Command[tuple[BusySession, ...]]:
    """List sessions with unanswered messages, the longest due first, up to MAX_BUSY_SESSIONS.

    On a Redis Cluster the order is that of each bucket.
    """

    def parse(reply: Reply) -> tuple[BusySession, ...]:
        return tuple(
            BusySession(row["session"], in_progress=bool(row["held"]), messages=row["messages"])
            for row in map(named, reply["sessions"])
        )

    def merge(found: Sequence[tuple[BusySession, ...]]) -> tuple[BusySession, ...]:
        return joined(found)[:MAX_BUSY_SESSIONS]

    arguments: Arguments = {"most": MAX_BUSY_SESSIONS}
    return Command("busy_sessions", listing_keys(), arguments, parse, merge)


def requeue(session: str, *, ttl_s: float) -> Command[bool]:
    """Make the next reply due now, or request the last one again if it failed.

    Returns False if no message waits or a worker holds the lease; raises SessionUnknown.
    """
    arguments: Arguments = {"session": session, "ttl_ms": to_ms(ttl_s)}
    keys = session_keys(session)
    return Command("requeue", keys, arguments, lambda reply: bool(reply["requeued"]))


def dump(session: str) -> Command[dict[str, Any]]:
    """Load a session's keys as JSON values, each with the seconds until it expires.

    Empty if the session does not exist.
    """

    def parse(reply: Reply) -> dict[str, Any]:
        return {} if reply.status == "gone" else dict(_dumped(reply))

    return Command("dump", session_keys(session), {}, parse)


def _dumped(reply: Reply) -> Iterator[tuple[str, Any]]:
    for kind, parse in DUMP_PARSERS.items():
        for name, (left_ms, value) in named(reply[kind]).items():
            if value:
                expires_in_s = None if left_ms == NO_EXPIRY_MS else left_ms / 1000
                yield name, {"value": parse(value), "expires_in_s": expires_in_s}


def document_ids(store: Store) -> Iterator[str]:
    """Yield the ids of all sessions, some perhaps twice; raises StoreUnavailable."""
    with translate_redis_errors("scan"):
        for server in store.servers():
            for key in server.scan_iter(DOCUMENT_PATTERN, count=SCAN_COUNT):
                yield session_of(key)


def run_all(store: Store, commands: Sequence[Command[T]]) -> list[T]:
    """Run commands in one round trip; raises the first error."""
    results: list[T] = []
    for result in store.run_all(commands):
        if isinstance(result, Exception):
            raise result
        results.append(result)
    return results
