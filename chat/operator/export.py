"""Transcripts as files. They hold no token: only its hash is stored.

Training data are JSON lines in the conversational format of fine-tuning tools, without names: the
columns `prompt`, `completion` and `label` for KTO, and `messages` for supervised fine-tuning.
Source: https://huggingface.co/docs/trl/main/en/dataset_formats
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from chat.schemas import Session, StoredMessage, format_timestamp, show_invisible
from chat.worker.history import history_window
from inference.prompt import build_messages

UNLIMITED: Final = sys.maxsize


def as_json(sessions: Iterable[Session]) -> str:
    """Return a JSON array of sessions with all their messages, as they are stored."""
    return json.dumps([_session(session) for session in sessions], ensure_ascii=False, indent=2)


def as_markdown(sessions: Iterable[Session]) -> str:
    """Return a document with a section for each session."""
    return "\n".join(line for session in sessions for line in _section(session))


def as_kto_lines(sessions: Iterable[Session]) -> str:
    """Return a line for each rated reply: the conversation before it, the reply and its label."""
    return _lines(example for session in sessions for example in kto_examples(session))


def as_message_lines(sessions: Iterable[Session]) -> str:
    """Return a line for each reply rated as good: the conversation up to it."""
    return _lines(example for session in sessions for example in message_examples(session))


def kto_examples(session: Session) -> Iterator[dict[str, Any]]:
    """Yield an example for each rated reply, with the visitor's comment if there is one."""
    for prompt, reply in _rated_replies(session):
        example = {
            "prompt": prompt,
            "completion": [_turn(reply)],
            "label": reply.rating == "up",
        }
        yield example | ({"comment": reply.comment} if reply.comment else {})


def message_examples(session: Session) -> Iterator[dict[str, Any]]:
    """Yield an example for each reply rated as good."""
    for prompt, reply in _rated_replies(session):
        if reply.rating == "up":
            yield {"messages": [*prompt, _turn(reply)]}


def _rated_replies(session: Session) -> Iterator[tuple[list[dict[str, str]], StoredMessage]]:
    """Yield each rated reply with its prompt: what the model would be sent without a limit."""
    for reply in session.messages:
        if not (reply.rating and reply.msg):
            continue
        before = _as_it_was(session, reply)
        question = next((each for each in before if each.id == reply.reply_to), None)
        if question:
            turns = history_window(before, question, 2 * len(before))
            yield [asdict(each) for each in build_messages(turns, UNLIMITED)], reply


def _as_it_was(session: Session, reply: StoredMessage) -> list[StoredMessage]:
    """Return the messages that were not replaced when the reply was written."""
    seqs = {message.id: message.seq for message in session.messages}
    return [
        message.model_copy(update={"replaced_by": None})
        for message in session.messages[: reply.seq - 1]
        if message.replaced_by is None or seqs.get(message.replaced_by, 0) > reply.seq
    ]


def _turn(message: StoredMessage) -> dict[str, str]:
    return {"role": "assistant", "content": message.msg}


def _lines(examples: Iterable[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(example, ensure_ascii=False)}\n" for example in examples)


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
        {"up": "rated good", "down": "rated bad"}.get(message.rating or "", ""),
        f"{message.timings.total_ms / 1000:.1f} s" if message.timings else "",
    ]
    yield f"## {message.seq}. {who} ({', '.join(detail for detail in details if detail)})"
    yield ""
    text = message.error.detail if message.error and not message.msg else message.msg
    yield from (f"> {line}".rstrip() for line in text.splitlines() or [""])
    yield ""
    if message.comment:
        yield f"Comment: {_one_line(message.comment)}"
        yield ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _moment(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")
