"""The steps of a session's life, each one Lua script on RedisJSON.

A step is a value: which script, which keys, which arguments, and how to read the answer.
`chat.store` runs steps, blocking or awaited, so that the worker and the consumer share this one
implementation. Every script may run twice with the same arguments and then tells what the first
run did, which makes a retry after a lost answer safe. Only this module knows key names.

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
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from chat.errors import MessageInvalid, RateLimited, SessionBusy, SessionUnknown, TooManySockets
from chat.minutes import outcome_figures
from chat.schemas import Backlog, NewReply, Session, StoredMessage, Writing, stored_messages

T = TypeVar("T")
Answer = Sequence[str]

LEASE_MS = 3_000
GRACE_MS = 1_500
SWEEP_AGAIN_MS = 5_000
SOCKET_SILENT_MS = 90_000
MARGIN_MESSAGES = 12
WORKER_SILENT_S = 10.0

DOCUMENT_PREFIX = "chat:{"
SEARCH_INDEX = "chat:sessions:1"  # a new name whenever its fields change
DUE_KEY = "chat:due"
MINUTE_KEY = "chat:minute"
SOCKETS_KEY = "chat:sockets"
PACE_KEY = "chat:pace"
WAITING_KEY = "chat:waiting"
WORKERS_KEY = "chat:workers"
SWEPT_KEY = "chat:swept"
PROBE_KEY = "chat:probe"
PROOF_KEPT_MS = 60_000
SESSION_KEYS = ("document", "ids", "mailbox", "work", "partial", "lease", "rate", "sockets")


@dataclass(frozen=True)
class Step(Generic[T]):
    """One script run: `read` turns its answer into a value or raises a ChatError."""

    script: str
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]
    read: Callable[[Answer], T]


@dataclass(frozen=True)
class Limits:
    """What one session, person or address may use."""

    ttl_s: float
    pending: int
    messages_per_minute: int
    tokens_per_minute_per_ip: int
    sockets_per_session: int
    sockets_per_ip: int


@dataclass(frozen=True)
class Accepted:
    """A stored message; `new` is false where its id was known."""

    message: StoredMessage
    new: bool


@dataclass(frozen=True)
class Taken:
    """A lease on a session and what the answer needs.

    `waited_s` is the time since the answer was asked for. `text` and `pieces` are what an earlier
    worker wrote, where a stop was asked for since.
    """

    session: str
    lease: str
    reply: UUID
    message: StoredMessage
    history: tuple[StoredMessage, ...]
    waited_s: float
    attempts: int
    replaces: UUID | None
    stop_requested: bool
    text: str
    pieces: int


@dataclass(frozen=True)
class Held:
    """The lease is still ours. `length` is that of the stored text, in bytes."""

    stop_requested: bool
    length: int


@dataclass(frozen=True)
class Committed:
    """The stored outcome, and how many messages still wait."""

    message: StoredMessage
    pending: int


@dataclass(frozen=True)
class Stopped:
    """A reply that was stored before the stop, or by it (`new`), and how many still wait."""

    message: StoredMessage
    new: bool
    pending: int


@dataclass(frozen=True)
class Service:
    """How the whole service stands.

    `overdue_s` is how long ago the sweep should have looked at the oldest waiting session.
    """

    waiting: int
    overdue_s: float
    swept_ago_s: float | None
    workers: dict[str, float]

    @property
    def alive(self) -> list[str]:
        """The workers with a recent sign of life."""
        return [name for name, silent_s in self.workers.items() if silent_s < WORKER_SILENT_S]


class LeaseLost(Exception):
    """Another worker holds the session now, or its answer is already stored."""


@cache
def source(script: str) -> str:
    """Return a script's text: its flags line, the prelude, its body."""
    folder = Path(__file__).parent / "scripts"
    flags, _, body = (folder / f"{script}.lua").read_text().partition("\n")
    return "\n".join([flags, (folder / "prelude.lua").read_text(), body])


def create(session: str, name: str, *, address: str, limits: Limits) -> Step[Session]:
    """Begin a session; raises RateLimited where the address began too many."""

    def read(answer: Answer) -> Session:
        _refuse(answer)
        return Session(
            id=session,
            name=name,
            session_start=_instant(answer[1]),
            expires_at=_instant(answer[2]),
            left_s=limits.ttl_s,
            messages=(),
            last_seq=0,
            pending=(),
        )

    keys = list(session_keys(session))
    keys[SESSION_KEYS.index("rate")] = _address_key("rate", address)
    document = json.dumps({"id": session, "name": name, "messages": []})
    arguments = (document, _ms(limits.ttl_s), limits.tokens_per_minute_per_ip)
    return Step("create", tuple(keys), arguments, read)


def accept(
    session: str, message: UUID, text: str, *, limits: Limits, trace: str | None = None
) -> Step[Accepted]:
    """Store a human's message once; raises SessionUnknown, SessionBusy or RateLimited."""

    def read(answer: Answer) -> Accepted:
        _refuse(answer)
        return Accepted(StoredMessage.model_validate_json(answer[1]), new=answer[2] == "1")

    body = {"id": str(message), "source": "human", "msg": text, "reply_to": None}
    body |= {"trace": trace} if trace else {}
    return Step(
        "accept",
        session_keys(session),
        (
            session,
            str(message),
            json.dumps(body),
            _ms(limits.ttl_s),
            limits.pending,
            limits.messages_per_minute,
            GRACE_MS,
        ),
        read,
    )


def take(session: str, lease: str, reply: UUID, *, history: int) -> Step[Taken | None]:
    """Take the lease and read the oldest unanswered message; None where there is nothing to do.

    `history` is how many messages the answer wants to see; some more are read, because
    failed and replaced ones will be left out.
    """

    def read(answer: Answer) -> Taken | None:
        if answer[0] != "taken":
            return None
        messages = stored_messages.validate_json(answer[3])
        seq = int(answer[2])
        return Taken(
            session=session,
            lease=lease,
            reply=UUID(answer[8]),
            message=next(message for message in messages if message.seq == seq),
            history=tuple(messages),
            waited_s=int(answer[4]) / 1000,
            attempts=int(answer[5]),
            replaces=UUID(answer[6]) if answer[6] else None,
            stop_requested=bool(answer[7]),
            text=answer[9],
            pieces=int(answer[10]),
        )

    back = 2 * history + MARGIN_MESSAGES
    return Step("take", session_keys(session), (session, lease, LEASE_MS, str(reply), back), read)


def progress(
    session: str,
    lease: str,
    reply: UUID,
    offset: int = 0,
    text: str = "",
    *,
    pieces: int = 0,
    retry_in_s: float = 0,
) -> Step[Held]:
    """Store the reply's text from `offset` (bytes) on, and renew the lease.

    Offset -1 stores the whole text again. `retry_in_s` is when a model that loads is asked again.
    Raises LeaseLost or SessionUnknown.
    """
    arguments = (session, lease, LEASE_MS, str(reply), offset, text, pieces, _ms(retry_in_s))
    return Step("progress", session_keys(session), arguments, _read_held)


def renew(session: str, lease: str) -> Step[Held]:
    """Renew the lease only; raises LeaseLost or SessionUnknown."""
    arguments = (session, lease, LEASE_MS, "", 0, "", 0, 0)
    return Step("progress", session_keys(session), arguments, _read_held)


def _read_held(answer: Answer) -> Held:
    _refuse(answer)
    return Held(stop_requested=bool(answer[1]), length=int(answer[2]))


def commit(session: str, lease: str, reply: NewReply, *, ttl_s: float) -> Step[Committed]:
    """Store the one outcome of a message and give the lease back.

    Raises LeaseLost or SessionUnknown.
    """

    def read(answer: Answer) -> Committed:
        _refuse(answer)
        return Committed(StoredMessage.model_validate_json(answer[1]), pending=int(answer[2]))

    arguments: tuple[str | int, ...] = (
        session,
        lease,
        str(reply.id),
        str(reply.reply_to),
        reply.model_dump_json(exclude_none=True),
        _ms(ttl_s),
        GRACE_MS,
        str(reply.replaces or ""),
        *outcome_figures(reply),
    )
    return Step("commit", session_keys(session), arguments, read)


def release(session: str, lease: str) -> Step[None]:
    """Give the lease back unanswered, for the next sweep to hand on."""
    return Step("release", session_keys(session), (session, lease), lambda answer: None)


def read(session: str, after: int = 0, *, known: UUID | None = None) -> Step[Session]:
    """Read a session at one moment, with its messages after `after`; raises SessionUnknown.

    `known` is the id the reader has for that message: where the document has another, or fewer
    messages, the whole history comes with `recovered` false.
    """

    def read_answer(answer: Answer) -> Session:
        _refuse(answer)
        head = json.loads(answer[1])
        pending = tuple(UUID(message) for message in answer[15:])
        writing = answer[7] and Writing(reply_to=pending[0], id=UUID(answer[7]), text=answer[8])
        return Session(
            id=session,
            name=head["$.name"][0],
            session_start=head["$.session_start"][0],
            expires_at=_instant(answer[3]),
            left_s=int(answer[4]) / 1000,
            messages=tuple(stored_messages.validate_json(answer[2])),
            last_seq=int(answer[5]),
            recovered=bool(answer[6]),
            pending=pending,
            writing=writing or None,
            retry_in_s=int(answer[9]) / 1000,
            backlog=_read_backlog(answer[10:15]),
        )

    return Step("read", session_keys(session), (session, after, str(known or "")), read_answer)


def _read_backlog(answer: Answer) -> Backlog:
    in_front, waiting, at_work, reply_ms, since_ms = answer
    return Backlog(
        in_front=int(in_front),
        waiting=int(waiting),
        at_work=int(at_work),
        reply_s=int(reply_ms) / 1000 if reply_ms else None,
        since_s=int(since_ms) / 1000,
    )


def stop(session: str, message: UUID, *, ttl_s: float) -> Step[Stopped | None]:
    """Ask that a reply be written no further; None where its worker or its turn will end it.

    A message that is next and that no worker writes is settled at once.
    Raises SessionUnknown, and MessageInvalid where there is no such message to answer.
    """

    def read_answer(answer: Answer) -> Stopped | None:
        _refuse(answer)
        if answer[0] == "stopping":
            return None
        return Stopped(
            StoredMessage.model_validate_json(answer[1]),
            new=answer[0] == "settled",
            pending=int(answer[2]),
        )

    arguments = (session, str(message), str(uuid4()), _ms(ttl_s), GRACE_MS)
    return Step("stop", session_keys(session), arguments, read_answer)


def regenerate(session: str, message: UUID, *, limits: Limits) -> Step[None]:
    """Ask for another reply in place of the last, or of a failed one.

    Raises SessionUnknown, SessionBusy, RateLimited, and MessageInvalid where there is no such
    reply.
    """
    arguments = (
        session,
        str(message),
        _ms(limits.ttl_s),
        limits.pending,
        limits.messages_per_minute,
        GRACE_MS,
    )
    return Step("regenerate", session_keys(session), arguments, _refuse)


def extend(session: str, ttl_s: float) -> Step[None]:
    """Start the session's time again; raises SessionUnknown."""
    return Step("extend", session_keys(session), (_ms(ttl_s),), _refuse)


def erase(session: str) -> Step[bool]:
    """Remove a session and everything about it; False where there was none."""
    return Step("erase", session_keys(session), (session,), lambda answer: answer[0] == "erased")


def sweep(most: int) -> Step[tuple[str, ...]]:
    """Find sessions that wait for an answer and that no worker holds."""
    arguments = (most, SWEEP_AGAIN_MS, SOCKET_SILENT_MS)
    return Step("sweep", service_keys(), arguments, lambda answer: tuple(answer[1:]))


def note(figure: str) -> Step[None]:
    """Count something in this minute's figures and note when it last happened."""
    return Step("note", service_keys(), (figure,), lambda answer: None)


def signs_of_life() -> Step[dict[str, float]]:
    """Return the seconds since each worker's last sign of life."""

    def read_answer(answer: Answer) -> dict[str, float]:
        return {
            worker: int(age_ms) / 1000
            for worker, age_ms in zip(answer[1::2], answer[2::2], strict=True)
        }

    return Step("signs", service_keys(), (), read_answer)


def pulse(worker: str) -> Step[None]:
    """Give a worker's sign of life."""
    return Step("pulse", service_keys(), (worker,), lambda answer: None)


def service() -> Step[Service]:
    """Read how the whole service stands."""

    def read_answer(answer: Answer) -> Service:
        return Service(
            waiting=int(answer[1]),
            overdue_s=int(answer[2]) / 1000,
            swept_ago_s=int(answer[3]) / 1000 if answer[3] else None,
            workers={
                worker: int(silent_ms) / 1000
                for worker, silent_ms in zip(answer[4::2], answer[5::2], strict=True)
            },
        )

    return Step("service", service_keys(), (), read_answer)


def probe() -> Step[None]:
    """Write something, to see that Redis takes writes."""
    return Step("probe", service_keys(), (), lambda answer: None)


def prove(nonce: str) -> Step[None]:
    """Note that a worker did the task that carries `nonce`."""
    return Step("prove", _proof_keys(nonce), (PROOF_KEPT_MS,), lambda answer: None)


def proved(nonce: str) -> Step[bool]:
    """Return whether a worker did the task that carries `nonce`."""
    return Step("proved", _proof_keys(nonce), (), lambda answer: answer[0] == "yes")


def enter(session: str, socket: str, *, address: str, limits: Limits) -> Step[None]:
    """Count a socket in, or renew it; raises TooManySockets where there is no room."""
    arguments = (socket, limits.sockets_per_session, limits.sockets_per_ip, SOCKET_SILENT_MS)
    return Step("enter", _socket_keys(session, address), arguments, _refuse)


def leave(session: str, socket: str, *, address: str) -> Step[None]:
    """Count a socket out."""
    return Step("leave", _socket_keys(session, address), (socket,), lambda answer: None)


def session_keys(session: str) -> tuple[str, ...]:
    """Return the keys of every script, in the prelude's order."""
    own = (f"chat:{{{session}}}:{name}" for name in SESSION_KEYS)
    return (*own, DUE_KEY, MINUTE_KEY, WAITING_KEY, PACE_KEY)


def session_of(document_key: str) -> str:
    """Return whose document a key names."""
    return document_key.removeprefix(DOCUMENT_PREFIX).partition("}")[0]


def service_keys() -> tuple[str, ...]:
    """Return the keys of scripts about no one session."""
    return (*session_keys("service"), WORKERS_KEY, SOCKETS_KEY, SWEPT_KEY, PROBE_KEY)


def _proof_keys(nonce: str) -> tuple[str, ...]:
    return (*session_keys("service"), f"chat:proof:{nonce}")


def _socket_keys(session: str, address: str) -> tuple[str, ...]:
    return (*session_keys(session), _address_key("sockets", address), SOCKETS_KEY)


def _address_key(name: str, address: str) -> str:
    return f"chat:address:{sha256(address.encode()).hexdigest()[:16]}:{name}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _refuse(answer: Answer) -> None:
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
