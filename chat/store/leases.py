"""Commands of the worker that generates a reply: take the lease, progress, commit, release."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import ValidationError

from chat.schemas import NewReply, StoredMessage, stored_messages
from chat.store.command import Arguments, Command, Reply, no_value
from chat.store.keys import session_keys
from chat.store.operation.statistics import outcome_figures
from chat.store.timing import GRACE_MS, to_ms

LEASE_MS = 2_500
# More messages than wanted are loaded up to this number: each takes Redis some microseconds.
MAX_SPARE = 200


@dataclass(frozen=True)
class Attempt:
    """A lease on a session, to answer its oldest message.

    `attempts` counts the attempts to answer it, with this one. `waited_s` is the time since the
    reply was requested. `replaces` is the reply to be replaced, if there is one.
    """

    session: str
    lease: str
    message_id: UUID
    attempts: int
    waited_s: float
    replaces: UUID | None


@dataclass(frozen=True)
class TakenMessage(Attempt):
    """An attempt with the message and the history before it.

    `continues` is the reply that is to be continued, if there is one.
    `text` and `pieces` are set if a stop was requested after an earlier worker wrote them.
    """

    reply: UUID
    message: StoredMessage
    history: tuple[StoredMessage, ...]
    continues: StoredMessage | None
    stop_requested: bool
    text: str
    pieces: int


class ModelBusy(Exception):
    """The message waits for a model that has reached this worker's limit. Nothing was taken."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model


class HistoryUnreadable(Exception):
    """The lease is held, but the stored messages are not valid."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self.attempt = attempt


@dataclass(frozen=True)
class LeaseStatus:
    """The lease is still held. `length` is that of the partial reply, in bytes."""

    stop_requested: bool
    length: int


@dataclass(frozen=True)
class Committed:
    """The stored outcome, and how many messages of the session still wait.

    `longest_wait_ms` is how long any session has waited for a worker; 0 if the outcome was stored
    before.
    """

    message: StoredMessage
    pending: int
    longest_wait_ms: int = field(default=0, compare=False)


def take(
    session: str,
    lease: str,
    reply: UUID,
    *,
    history: int,
    full_models: Sequence[str] = (),
    default_model: str = "",
    by_operator: bool = False,
) -> Command[TakenMessage | None]:
    """Take the lease and load the oldest unanswered message; None if there is none.

    `history` is the number of messages wanted before it. Twice as many are loaded, up to
    MAX_SPARE, because failed and replaced replies are left out later. A message for one of
    `full_models` is left where it is; `default_model` is that of messages that name none.
    `by_operator`: the lease is that of an operator's claim. Raises HistoryUnreadable and ModelBusy.
    """

    def parse(found: Reply) -> TakenMessage | None:
        if found.status == "nothing":
            return None
        if found.status == "model_busy":
            raise ModelBusy(found["model"])
        attempt = Attempt(
            session=session,
            lease=lease,
            message_id=UUID(found["message"]),
            attempts=found["attempts"],
            waited_s=found["waited_ms"] / 1000,
            replaces=UUID(found["replaces"]) if found["replaces"] else None,
        )
        try:
            messages = stored_messages.validate_json(found["messages"])
            continues = found["continues"] and StoredMessage.model_validate_json(found["continues"])
        except ValidationError as error:
            raise HistoryUnreadable(attempt) from error
        return TakenMessage(
            **vars(attempt),
            reply=UUID(found["reply"]),
            message=next(message for message in messages if message.id == attempt.message_id),
            history=tuple(messages),
            continues=continues or None,
            stop_requested=bool(found["stop_requested"]),
            text=found["text"],
            pieces=found["pieces"],
        )

    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "lease_ms": LEASE_MS,
        "reply": str(reply),
        "history": max(history, min(2 * history, MAX_SPARE)),
        "full_models": f" {' '.join(full_models)} ",
        "default_model": default_model,
        "by_operator": int(by_operator),
    }
    return Command("take", session_keys(session), arguments, parse)


def progress(
    session: str,
    lease: str,
    reply: UUID | None,
    offset: int = 0,
    text: str = "",
    *,
    pieces: int = 0,
    retry_in_s: float = 0,
) -> Command[LeaseStatus]:
    """Store the partial reply from `offset` (bytes) on, and renew the lease.

    Offset -1 replaces the whole text. `retry_in_s` is the time until a loading model is called
    again. Raises LeaseLost or SessionUnknown.
    """
    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "lease_ms": LEASE_MS,
        "reply": str(reply or ""),
        "offset": offset,
        "text": text,
        "pieces": pieces,
        "retry_in_ms": to_ms(retry_in_s),
    }
    return Command("progress", session_keys(session), arguments, _lease_status)


def renew(session: str, lease: str) -> Command[LeaseStatus]:
    """Renew the lease only; raises LeaseLost or SessionUnknown."""
    return progress(session, lease, None)


def _lease_status(reply: Reply) -> LeaseStatus:
    return LeaseStatus(stop_requested=bool(reply["stop_requested"]), length=reply["length"])


def commit(session: str, lease: str, reply: NewReply, *, ttl_s: float) -> Command[Committed]:
    """Store the one outcome of a message and give the lease back.

    A reply that failed or was stopped does not replace a good one, unless it continues it: it is
    stored as replaced by it.
    Raises LeaseLost or SessionUnknown.
    """

    def parse(committed: Reply) -> Committed:
        message = StoredMessage.model_validate_json(committed["message"])
        return Committed(message, committed["pending"], committed["longest_wait_ms"])

    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "reply": str(reply.id),
        "reply_to": str(reply.reply_to),
        "body": reply.model_dump_json(exclude_none=True),
        "ttl_ms": to_ms(ttl_s),
        "grace_ms": GRACE_MS,
        "replaces": str(reply.replaces or ""),
        "is_whole": int(_is_whole(reply)),
        "figures": " ".join(outcome_figures(reply)),
    }
    return Command("commit", session_keys(session), arguments, parse)


def _is_whole(reply: NewReply) -> bool:
    ended = reply.finish_reason in {"stop", "length"} or reply.continues is not None
    return ended and bool(reply.msg)


def release(session: str, lease: str) -> Command[None]:
    """Give the lease back without an outcome; the next sweep finds the session."""
    arguments: Arguments = {"session": session, "lease": lease}
    return Command("release", session_keys(session), arguments, no_value)
