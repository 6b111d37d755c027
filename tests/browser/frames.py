"""Builders of the server's frames. A message's id is its source and `seq`."""

from typing import Any

Frame = dict[str, Any]

AT = "2030-01-01T00:00:00Z"
LIMITS = {
    "max_message_chars": 2000,
    "max_pending": 10,
    "messages_per_minute": 20,
    "history_messages": 4,
    "session_ttl_s": 3600,
}


def human(seq: int, msg: str, at: str = AT) -> Frame:
    return {
        "id": f"human-{seq}",
        "seq": seq,
        "source": "human",
        "msg": msg,
        "timestamp": at,
        "reply_to": None,
    }


def bot(seq: int, to: int, msg: str, at: str = AT) -> Frame:
    return {
        "id": f"bot-{seq}",
        "seq": seq,
        "source": "bot",
        "msg": msg,
        "timestamp": at,
        "reply_to": f"human-{to}",
        "finish_reason": "stop",
    }


def replaced(message: Frame, by: str) -> Frame:
    """Return a message as it is sent once another one has replaced it."""
    kept = ("id", "seq", "source", "reply_to", "replaces", "version_of", "continues")
    return {name: message[name] for name in kept if name in message} | {"replaced_by": by}


def version(requested: Frame, *others: Frame, has_more: bool = False) -> Frame:
    return {
        "type": "session.version",
        "id": requested["id"],
        "messages": [requested, *others],
        "has_more": has_more,
    }


def ready(
    messages: list[Frame],
    *,
    reply: Frame | None = None,
    recovered: bool = True,
    has_earlier: bool = False,
    expires_at: str = "2030-01-01T01:00:00Z",
) -> Frame:
    return {
        "type": "session.ready",
        "name": "Ada",
        "session_start": AT,
        "expires_at": expires_at,
        "messages": messages,
        "reply": reply,
        "recovered": recovered,
        "has_earlier": has_earlier,
        "limits": LIMITS,
    }


def earlier(before: int, messages: list[Frame], *, has_earlier: bool = False) -> Frame:
    return {
        "type": "session.messages",
        "before": before,
        "messages": messages,
        "has_earlier": has_earlier,
    }


def accepted(seq: int, msg: str) -> Frame:
    return {"type": "message.accepted", "message": human(seq, msg)}


def queued(to: int, ahead: int, eta_s: float | None = None) -> Frame:
    return {"type": "reply.queued", "reply_to": f"human-{to}", "ahead": ahead, "eta_s": eta_s}


def started(to: int, attempt: int = 1, continues: str | None = None) -> Frame:
    frame = {"type": "reply.started", "reply_to": f"human-{to}", "id": f"bot-{attempt}"}
    return frame | {"continues": continues}


def thinking(to: int, attempt: int = 1) -> Frame:
    return started(to, attempt) | {"type": "reply.thinking"}


def delta(to: int, offset: int, text: str, attempt: int = 1) -> Frame:
    return {
        "type": "reply.delta",
        "reply_to": f"human-{to}",
        "id": f"bot-{attempt}",
        "offset": offset,
        "text": text,
    }


def completed(message: Frame) -> Frame:
    return {"type": "reply.completed", "message": message}


def failed(message: Frame, code: str = "model.timeout", *, retryable: bool = True) -> Frame:
    error = {"code": code, "detail": "It did not work.", "retryable": retryable}
    return {"type": "reply.failed", "message": {**message, "error": error}}


def rating(id: str, rating: str | None, comment: str | None = None, revision: int = 1) -> Frame:
    return {
        "type": "reply.rated",
        "id": id,
        "reply_to": "human-1",
        "rating": rating,
        "comment": comment,
        "revision": revision,
    }
