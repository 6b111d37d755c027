"""What a session's page shows, put together from the document and the inspection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from chat.errors import SessionUnknown
from chat.operator.timeline import Bar, bar, waiting_bar
from chat.schemas import Session, StoredMessage
from chat.store import inspection, sessions
from chat.store.client import Store
from chat.store.inspection import Inspection, Queued, Summary

MESSAGES_A_PAGE = 200
RATE_FROM_MS = 100  # less says nothing about the model


@dataclass(frozen=True)
class Line:
    """One message. `state` is a word for the person, `tone` its colour."""

    message: StoredMessage
    state: str
    tone: str
    bar: Bar | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True)
class Pending:
    """A message whose reply is not there yet: its place, and the text so far."""

    seq: int | None
    queued: Queued
    bar: Bar
    state: str
    worker: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class SessionPage:
    """A session as an operator sees it. `earlier` is the seq before which older messages are."""

    summary: Summary
    session: Session
    inspection: Inspection
    lines: tuple[Line, ...]
    pending: tuple[Pending, ...]
    earlier: int | None


def read_page(store: Store, session: str, before: int | None = None) -> SessionPage | None:
    """Read a session, its last messages or those before `before`; None where it is gone.

    Raises StoreUnavailable.
    """
    summary = store.run(inspection.summary(session))
    if summary is None:
        return None
    end = min(before - 1, summary.messages) if before else summary.messages
    start = max(end - MESSAGES_A_PAGE, 0)
    try:
        read = store.run(sessions.load(session, start))
        inspected = store.run(inspection.inspect(session))
    except SessionUnknown:
        return None
    messages = [message for message in read.messages if before is None or message.seq < before]
    longest_ms = _longest_ms(messages, inspected.queue)
    return SessionPage(
        summary=summary,
        session=read,
        inspection=inspected,
        lines=tuple(_line(message, read, longest_ms) for message in messages),
        pending=tuple(_pending(read, inspected, longest_ms)),
        earlier=start + 1 if start else None,
    )


def _longest_ms(messages: Iterable[StoredMessage], queue: Iterable[Queued]) -> float:
    ended = [message.timings.total_ms for message in messages if message.timings]
    waiting = [queued.waited_s * 1000 for queued in queue]
    return max([*ended, *waiting], default=1)


def _line(message: StoredMessage, session: Session, longest_ms: float) -> Line:
    state, tone = _state(message, session)
    timings = message.timings
    return Line(
        message,
        state,
        tone,
        bar(timings, longest_ms) if timings else None,
        _tokens_per_s(message),
    )


def _state(message: StoredMessage, session: Session) -> tuple[str, str]:
    if message.source == "human":
        return _human_state(message.id, session.pending, session)
    if message.replaced_by:
        return "replaced", "quiet"
    if message.error:
        return message.error.code, "bad"
    if message.finish_reason == "stop_requested":
        return "stopped", "quiet"
    return ("cut at its length", "quiet") if message.finish_reason == "length" else ("done", "good")


def _human_state(message: UUID, pending: Sequence[UUID], session: Session) -> tuple[str, str]:
    if message not in pending:
        return "answered", "quiet"
    if session.partial_reply and session.partial_reply.reply_to == message:
        return "being answered", "busy"
    return "waiting", "busy"


def _tokens_per_s(message: StoredMessage) -> float | None:
    timings, usage = message.timings, message.usage
    tokens = (usage and usage.completion_tokens) or message.pieces
    if not timings or timings.first_token_ms is None or not tokens:
        return None
    writing_ms = timings.total_ms - timings.first_token_ms
    return tokens / writing_ms * 1000 if writing_ms >= RATE_FROM_MS else None


def _pending(session: Session, inspected: Inspection, longest_ms: float) -> Iterable[Pending]:
    seqs = {str(message.id): message.seq for message in session.messages}
    for place, queued in enumerate(inspected.queue):
        held = place == 0 and inspected.worker is not None
        writing = session.partial_reply if held else None
        yield Pending(
            seq=seqs.get(queued.message),
            queued=queued,
            bar=waiting_bar(
                queued.waited_s * 1000,
                inspected.taken_s * 1000 if held else None,
                bool(writing and writing.text),
                longest_ms,
            ),
            state=_pending_state(queued, held, place),
            worker=inspected.worker if held else None,
            text=writing.text if writing else None,
        )


def _pending_state(queued: Queued, held: bool, place: int) -> str:
    if queued.stop_requested:
        return "being stopped"
    if held:
        return "being written"
    return "next in line" if place == 0 else f"waiting, {place} before it"
