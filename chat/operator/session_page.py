"""The content of a session's page: its transcript and its queue."""

from collections.abc import Iterator
from dataclasses import dataclass

from chat.errors import SessionUnknown
from chat.operator.charts import Timeline, pending_timeline, timeline
from chat.schemas import Session, StoredMessage
from chat.store import sessions, shares
from chat.store.client import Store
from chat.store.operation import inspection
from chat.store.operation.inspection import Inspection, Queued, Summary
from chat.store.sessions import END
from chat.store.shares import Share

MIN_STREAMING_MS = 100  # a rate over a shorter time says nothing about the model


@dataclass(frozen=True)
class Entry:
    """A message of the transcript, with a word for its state and that word's color.

    `origin` says what it replaces an earlier message for.
    """

    message: StoredMessage
    state: str
    tone: str
    origin: str = ""
    timeline: Timeline | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True)
class PendingReply:
    """A reply that is not finished; `text` is the partial reply, None until a worker has it."""

    reply_to: int | None
    queued: Queued
    state: str
    timeline: Timeline
    worker: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class SessionPage:
    """One page of a session; `earlier` is the seq before which there are more messages."""

    summary: Summary
    session: Session
    inspection: Inspection
    entries: tuple[Entry, ...]
    pending: tuple[PendingReply, ...]
    shares: tuple[Share, ...]
    earlier: int | None


def load_page(store: Store, session: str, before: int | None = None) -> SessionPage | None:
    """Load a session with its last messages or those before a seq; None if it does not exist.

    Raises StoreUnavailable.
    """
    summary = store.run(inspection.summary(session))
    if summary is None:
        return None
    try:
        loaded = store.run(sessions.load(session, before=before or END))
        inspected = store.run(inspection.inspect(session))
        links = store.run(shares.load_all(session))
    except SessionUnknown:
        return None
    messages = loaded.messages
    finished_ms = [message.timings.total_ms for message in messages if message.timings]
    waited_ms = [queued.waited_s * 1000 for queued in inspected.queue]
    longest_ms = max([*finished_ms, *waited_ms], default=1)
    return SessionPage(
        summary=summary,
        session=loaded,
        inspection=inspected,
        entries=tuple(_entry(message, loaded, longest_ms) for message in messages),
        pending=tuple(_pending_replies(loaded, inspected, longest_ms)),
        shares=links,
        earlier=messages[0].seq if loaded.is_truncated else None,
    )


def _entry(message: StoredMessage, session: Session, longest_ms: float) -> Entry:
    state, tone = _state(message, session)
    drawn = timeline(message.timings, longest_ms) if message.timings else None
    return Entry(message, state, tone, _origin(message), drawn, _tokens_per_s(message))


def _origin(message: StoredMessage) -> str:
    if message.version_of:
        return "version chosen"
    if message.continues:
        return "continued"
    if not message.replaces:
        return ""
    return "edited" if message.source == "human" else "regenerated"


def _state(message: StoredMessage, session: Session) -> tuple[str, str]:
    if message.source == "human" and not message.replaced_by:
        if message.id not in session.pending:
            return "answered", "quiet"
        is_current = session.partial_reply and session.partial_reply.reply_to == message.id
        return "reply in progress" if is_current else "waiting", "busy"
    if message.replaced_by:
        return "replaced", "quiet"
    if message.error:
        return message.error.code, "bad"
    match message.finish_reason:
        case "stop_requested":
            return "stopped", "quiet"
        case "length":
            return "stopped at the length limit", "quiet"
    return "completed", "good"


def _tokens_per_s(message: StoredMessage) -> float | None:
    timings, usage = message.timings, message.usage
    tokens = (usage and usage.completion_tokens) or message.pieces
    if not timings or timings.first_token_ms is None or not tokens:
        return None
    streaming_ms = timings.total_ms - timings.first_token_ms
    return tokens / streaming_ms * 1000 if streaming_ms >= MIN_STREAMING_MS else None


def _pending_replies(
    session: Session, inspected: Inspection, longest_ms: float
) -> Iterator[PendingReply]:
    seqs = {str(message.id): message.seq for message in session.messages}
    for ahead, queued in enumerate(inspected.queue):
        is_taken = ahead == 0 and inspected.worker is not None
        partial = session.partial_reply if is_taken else None
        yield PendingReply(
            reply_to=seqs.get(queued.message),
            queued=queued,
            state=_pending_state(queued, is_taken, ahead),
            timeline=pending_timeline(
                queued.waited_s * 1000,
                inspected.taken_s * 1000 if is_taken else None,
                bool(partial and partial.text),
                longest_ms,
            ),
            worker=inspected.worker if is_taken else None,
            text=partial.text if partial else None,
        )


def _pending_state(queued: Queued, is_taken: bool, ahead: int) -> str:
    if queued.stop_requested:
        return "stopping"
    if is_taken:
        return "in progress"
    return "next in the queue" if ahead == 0 else f"waiting, {ahead} ahead"
