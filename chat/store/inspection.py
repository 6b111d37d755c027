"""What an operator reads of sessions, and the one step that only operators take.

Steps like those of `chat.sessions`, which names the keys. All but `requeue` only read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chat.errors import SessionUnknown
from chat.store.command import SOCKET_TIMEOUT_MS, Answer, Command, service_keys, session_keys

WAITING_AT_MOST = 5_000


class State(StrEnum):
    """What a session is doing."""

    IDLE = "idle"
    WAITING = "waiting"
    WRITING = "writing"
    FAILED = "failed"


@dataclass(frozen=True)
class Summary:
    """A session in a list. `failures` are the codes of all its failed replies."""

    id: str
    name: str
    started: datetime
    last: datetime | None
    messages: int
    pending: int
    writing: bool
    failed: bool
    failures: tuple[str, ...]
    sockets: int
    left_s: float

    @property
    def state(self) -> State:
        """Return what the session is doing now."""
        if self.pending:
            return State.WRITING if self.writing else State.WAITING
        return State.FAILED if self.failed else State.IDLE


@dataclass(frozen=True)
class Socket:
    """An open socket, and the seconds since its last sign of life."""

    name: str
    silent_s: float


@dataclass(frozen=True)
class Queued:
    """A message that waits for its reply, and the seconds since it was asked for."""

    message: str
    waited_s: float
    attempts: int
    stop_requested: bool


@dataclass(frozen=True)
class Inspection:
    """What only an operator sees. `worker` holds the lease; None where nobody does.

    `taken_s` is how long it has been at the reply, in seconds.
    """

    worker: str | None
    taken_s: float
    sockets: tuple[Socket, ...]
    queue: tuple[Queued, ...]


@dataclass(frozen=True)
class Busy:
    """A session with something to answer."""

    session: str
    writing: bool
    messages: int


@dataclass(frozen=True)
class Minutes:
    """Figures by minute, oldest first; the last one is not over. See `chat.minutes`."""

    now: datetime
    figures: tuple[dict[str, int], ...]


def summary(session: str) -> Command[Summary | None]:
    """Read what a list shows of a session; None where it is gone."""

    def read(answer: Answer) -> Summary | None:
        if answer[0] == "unknown":
            return None
        found = json.loads(answer[1])
        last = found["$.messages[-1].timestamp"]
        return Summary(
            id=session,
            name=found["$.name"][0],
            started=_instant(found["$.session_start"][0]),
            last=_instant(last[0]) if last else None,
            messages=int(answer[2]),
            pending=int(answer[3]),
            writing=bool(answer[4]),
            failed=bool(found["$.messages[-1].error.code"]),
            failures=tuple(found["$.messages[*].error.code"]),
            sockets=int(answer[5]),
            left_s=int(answer[6]) / 1000,
        )

    return Command("summary", session_keys(session), (SOCKET_TIMEOUT_MS,), read)


def document_fields(session: str, paths: Mapping[str, str]) -> Command[dict[str, list[Any]] | None]:
    """Load values of a session's document by at least two JSON paths; None if it is gone.

    Returns a list for each name in `paths`, since a path may match several values or none.
    """

    def read(answer: Answer) -> dict[str, list[Any]] | None:
        if answer[0] == "unknown":
            return None
        found = json.loads(answer[1])
        return {name: found[path] for name, path in paths.items()}

    return Command("fields", session_keys(session), tuple(paths.values()), read)


def inspect(session: str) -> Command[Inspection]:
    """Read a session's queue, holder and sockets; raises SessionUnknown."""

    def read(answer: Answer) -> Inspection:
        _known(answer)
        sockets = json.loads(answer[2]) or []
        queue = json.loads(answer[3]) or []
        return Inspection(
            worker=answer[1].partition(" ")[0] or None,
            taken_s=int(answer[4]) / 1000,
            sockets=tuple(Socket(name, int(age_ms) / 1000) for name, age_ms in _groups(sockets, 2)),
            queue=tuple(
                Queued(message, int(waited_ms) / 1000, int(attempts), bool(stop))
                for message, waited_ms, attempts, stop in _groups(queue, 4)
            ),
        )

    return Command("inspect", session_keys(session), (SOCKET_TIMEOUT_MS,), read)


def busy_sessions() -> Command[tuple[Busy, ...]]:
    """List sessions with something to answer, the longest due first, WAITING_AT_MOST of them."""

    def read(answer: Any) -> tuple[Busy, ...]:
        return tuple(
            Busy(session, bool(writing), int(messages))
            for session, writing, messages in _groups(answer[1], 3)
        )

    return Command("waiting", service_keys(), (WAITING_AT_MOST,), read)


def requeue(session: str, *, ttl_s: float) -> Command[bool]:
    """Make the next answer due at once, or ask again for the last one where it failed.

    Returns False where there is nothing to answer or a worker is at it; raises SessionUnknown.
    """

    def read(answer: Answer) -> bool:
        _known(answer)
        return answer[0] == "requeued"

    return Command("requeue", session_keys(session), (session, round(ttl_s * 1000)), read)


def minutes(count: int) -> Command[Minutes]:
    """Read the figures of the last `count` minutes."""

    def read(answer: Any) -> Minutes:
        figures = tuple(
            {name: int(value) for name, value in _groups(flat, 2)} for flat in answer[2:]
        )
        return Minutes(_instant(int(answer[1])), figures)

    return Command("minutes", service_keys(), (count,), read)


def _groups(flat: Any, size: int) -> list[tuple[Any, ...]]:
    return list(zip(*(flat[start::size] for start in range(size)), strict=True))


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _known(answer: Answer) -> None:
    if answer[0] == "unknown":
        raise SessionUnknown
