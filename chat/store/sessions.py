"""What people do with a session: begin, say, read, stop, regenerate, extend, erase; its sockets."""

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

from chat.schemas import PartialReply, QueueState, Session, StoredMessage, stored_messages
from chat.store.command import (
    GRACE_MS,
    SESSION_KEYS,
    SOCKET_TIMEOUT_MS,
    Answer,
    Command,
    address_key,
    instant,
    milliseconds,
    refuse,
    session_keys,
    socket_keys,
)


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
    """A stored message; `new` is false where its id was known. `sockets` the session has open."""

    message: StoredMessage
    new: bool
    sockets: int


@dataclass(frozen=True)
class Stopped:
    """A reply that was stored before the stop, or by it (`new`), and how many still wait."""

    message: StoredMessage
    new: bool
    pending: int


def create(session: str, name: str, *, address: str, limits: Limits) -> Command[Session]:
    """Begin a session; raises RateLimited where the address began too many."""

    def read(answer: Answer) -> Session:
        refuse(answer)
        return Session(
            id=session,
            name=name,
            session_start=instant(answer[1]),
            expires_at=instant(answer[2]),
            remaining_s=limits.ttl_s,
            messages=(),
            last_seq=0,
            pending=(),
        )

    keys = list(session_keys(session))
    keys[SESSION_KEYS.index("rate")] = address_key("rate", address)
    document = json.dumps({"id": session, "name": name, "messages": []})
    arguments = (document, milliseconds(limits.ttl_s), limits.tokens_per_minute_per_ip)
    return Command("create", tuple(keys), arguments, read)


def accept(
    session: str, message: UUID, text: str, *, limits: Limits, trace: str | None = None
) -> Command[Accepted]:
    """Store a human's message once; raises SessionUnknown, SessionBusy or RateLimited."""

    def read(answer: Answer) -> Accepted:
        refuse(answer)
        message = StoredMessage.model_validate_json(answer[1])
        return Accepted(message, new=answer[2] == "1", sockets=int(answer[3]))

    body = {"id": str(message), "source": "human", "msg": text, "reply_to": None}
    body |= {"trace": trace} if trace else {}
    return Command(
        "accept",
        session_keys(session),
        (
            session,
            str(message),
            json.dumps(body),
            milliseconds(limits.ttl_s),
            limits.pending,
            limits.messages_per_minute,
            GRACE_MS,
        ),
        read,
    )


def load(session: str, after: int = 0, *, known: UUID | None = None) -> Command[Session]:
    """Read a session at one moment, with its messages after `after`; raises SessionUnknown.

    `known` is the id the reader has for that message: where the document has another, or fewer
    messages, the whole history comes with `recovered` false.
    """

    def read_answer(answer: Answer) -> Session:
        refuse(answer)
        head = json.loads(answer[1])
        pending = tuple(UUID(message) for message in answer[15:])
        writing = answer[7] and PartialReply(
            reply_to=pending[0], id=UUID(answer[7]), text=answer[8]
        )
        return Session(
            id=session,
            name=head["$.name"][0],
            session_start=head["$.session_start"][0],
            expires_at=instant(answer[3]),
            remaining_s=int(answer[4]) / 1000,
            messages=tuple(stored_messages.validate_json(answer[2])),
            last_seq=int(answer[5]),
            recovered=bool(answer[6]),
            pending=pending,
            partial_reply=writing or None,
            retry_in_s=int(answer[9]) / 1000,
            queue=_read_backlog(answer[10:15]),
        )

    return Command("read", session_keys(session), (session, after, str(known or "")), read_answer)


def _read_backlog(answer: Answer) -> QueueState:
    ahead, waiting, in_progress, reply_ms, since_ms = answer
    return QueueState(
        ahead=int(ahead),
        waiting=int(waiting),
        in_progress=int(in_progress),
        mean_reply_s=int(reply_ms) / 1000 if reply_ms else None,
        elapsed_s=int(since_ms) / 1000,
    )


def stop(session: str, message: UUID, *, ttl_s: float) -> Command[Stopped | None]:
    """Ask that a reply be written no further; None where its worker or its turn will end it.

    A message that is next and that no worker writes is settled at once.
    Raises SessionUnknown, and MessageInvalid where there is no such message to answer.
    """

    def read_answer(answer: Answer) -> Stopped | None:
        refuse(answer)
        if answer[0] == "stopping":
            return None
        return Stopped(
            StoredMessage.model_validate_json(answer[1]),
            new=answer[0] == "settled",
            pending=int(answer[2]),
        )

    arguments = (session, str(message), str(uuid4()), milliseconds(ttl_s), GRACE_MS)
    return Command("stop", session_keys(session), arguments, read_answer)


def regenerate(session: str, message: UUID, *, limits: Limits) -> Command[None]:
    """Ask for another reply in place of the last, or of a failed one.

    Raises SessionUnknown, SessionBusy, RateLimited, and MessageInvalid where there is no such
    reply.
    """
    arguments = (
        session,
        str(message),
        milliseconds(limits.ttl_s),
        limits.pending,
        limits.messages_per_minute,
        GRACE_MS,
    )
    return Command("regenerate", session_keys(session), arguments, refuse)


def extend(session: str, ttl_s: float) -> Command[None]:
    """Start the session's time again; raises SessionUnknown."""
    return Command("extend", session_keys(session), (milliseconds(ttl_s),), refuse)


def erase(session: str) -> Command[bool]:
    """Remove a session and everything about it; False where there was none."""
    return Command("erase", session_keys(session), (session,), lambda answer: answer[0] == "erased")


def register_socket(session: str, socket: str, *, address: str, limits: Limits) -> Command[int]:
    """Count a socket in, or renew it; return the `seq` of the session's last message.

    Raises SessionUnknown, and TooManySockets where there is no room.
    """

    def read_answer(answer: Answer) -> int:
        refuse(answer)
        return int(answer[1])

    arguments = (socket, limits.sockets_per_session, limits.sockets_per_ip, SOCKET_TIMEOUT_MS)
    return Command("enter", socket_keys(session, address), arguments, read_answer)


def unregister_socket(session: str, socket: str, *, address: str) -> Command[None]:
    """Count a socket out."""
    return Command("leave", socket_keys(session, address), (socket,), lambda answer: None)
