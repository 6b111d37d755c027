"""Transcripts as files. They hold no token: only its hash is stored."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chat.schemas import Session, StoredMessage, format_timestamp, show_invisible


def as_json(sessions: Iterable[Session]) -> str:
    """Return a JSON array of sessions with all their messages, as they are stored."""
    return json.dumps([_session(session) for session in sessions], ensure_ascii=False, indent=2)


def as_markdown(sessions: Iterable[Session]) -> str:
    """Return a document with a section for each session."""
    return "\n".join(line for session in sessions for line in _section(session))


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "name": session.name,
        "session_start": format_timestamp(session.session_start),
        "expires_at": format_timestamp(session.expires_at),
        "messages": [message.model_dump(mode="json") for message in session.messages],
    }


def _section(session: Session) -> Iterable[str]:
    yield f"# {show_invisible(_one_line(session.name))}"
    yield ""
    yield f"Session `{session.id}`, started {_moment(session.session_start)}."
    yield ""
    for message in session.messages:
        yield from _entry(message)


def _entry(message: StoredMessage) -> Iterable[str]:
    who = show_invisible(message.operator or message.source.title())
    details = [
        _moment(message.timestamp),
        "a person" if message.source == "operator" else "",
        f"failed: {message.error.code}" if message.error else "",
        "stopped" if message.finish_reason == "stop_requested" else "",
        "replaced" if message.replaced_by else "",
        f"{message.timings.total_ms / 1000:.1f} s" if message.timings else "",
    ]
    yield f"## {message.seq}. {who} ({', '.join(detail for detail in details if detail)})"
    yield ""
    text = message.error.detail if message.error and not message.msg else message.msg
    yield from (f"> {line}".rstrip() for line in text.splitlines() or [""])
    yield ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _moment(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")
