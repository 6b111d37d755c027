"""What a worker does with a reply: take the lease, write, commit, or give it back."""

from dataclasses import dataclass
from uuid import UUID

from chat.schemas import NewReply, StoredMessage, stored_messages
from chat.store.command import GRACE_MS, Answer, Command, milliseconds, refuse, session_keys
from chat.store.statistics import outcome_figures

LEASE_MS = 2_500


@dataclass(frozen=True)
class TakenMessage:
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
class LeaseStatus:
    """The lease is still ours. `length` is that of the stored text, in bytes."""

    stop_requested: bool
    length: int


@dataclass(frozen=True)
class Committed:
    """The stored outcome, and how many messages still wait."""

    message: StoredMessage
    pending: int


def take(session: str, lease: str, reply: UUID, *, history: int) -> Command[TakenMessage | None]:
    """Take the lease and read the oldest unanswered message; None where there is nothing to do.

    `history` is how many messages the answer wants to see; twice as many are read, because failed
    and replaced ones will be left out.
    """

    def read(answer: Answer) -> TakenMessage | None:
        if answer[0] != "taken":
            return None
        messages = stored_messages.validate_json(answer[3])
        seq = int(answer[2])
        return TakenMessage(
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

    arguments = (session, lease, LEASE_MS, str(reply), 2 * history)
    return Command("take", session_keys(session), arguments, read)


def progress(
    session: str,
    lease: str,
    reply: UUID,
    offset: int = 0,
    text: str = "",
    *,
    pieces: int = 0,
    retry_in_s: float = 0,
) -> Command[LeaseStatus]:
    """Store the reply's text from `offset` (bytes) on, and renew the lease.

    Offset -1 stores the whole text again. `retry_in_s` is when a model that loads is asked again.
    Raises LeaseLost or SessionUnknown.
    """
    arguments = (
        session,
        lease,
        LEASE_MS,
        str(reply),
        offset,
        text,
        pieces,
        milliseconds(retry_in_s),
    )
    return Command("progress", session_keys(session), arguments, _read_held)


def renew(session: str, lease: str) -> Command[LeaseStatus]:
    """Renew the lease only; raises LeaseLost or SessionUnknown."""
    arguments = (session, lease, LEASE_MS, "", 0, "", 0, 0)
    return Command("progress", session_keys(session), arguments, _read_held)


def _read_held(answer: Answer) -> LeaseStatus:
    refuse(answer)
    return LeaseStatus(stop_requested=bool(answer[1]), length=int(answer[2]))


def commit(session: str, lease: str, reply: NewReply, *, ttl_s: float) -> Command[Committed]:
    """Store the one outcome of a message and give the lease back.

    Raises LeaseLost or SessionUnknown.
    """

    def read(answer: Answer) -> Committed:
        refuse(answer)
        return Committed(StoredMessage.model_validate_json(answer[1]), pending=int(answer[2]))

    arguments: tuple[str | int, ...] = (
        session,
        lease,
        str(reply.id),
        str(reply.reply_to),
        reply.model_dump_json(exclude_none=True),
        milliseconds(ttl_s),
        GRACE_MS,
        str(reply.replaces or ""),
        *outcome_figures(reply),
    )
    return Command("commit", session_keys(session), arguments, read)


def release(session: str, lease: str) -> Command[None]:
    """Give the lease back unanswered, for the next sweep to hand on."""
    return Command("release", session_keys(session), (session, lease), lambda answer: None)
