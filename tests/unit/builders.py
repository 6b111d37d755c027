"""Builders of messages and sessions, for tables of cases."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from chat.schemas import Session, StoredMessage

NAMESPACE = UUID("00000000-0000-4000-8000-000000000000")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def id_of(name: str) -> UUID:
    """Return the id of a name, which is always the same."""
    return uuid5(NAMESPACE, name)


def human(name: str, seq: int, **fields: Any) -> StoredMessage:
    return StoredMessage(
        id=id_of(name), seq=seq, source="human", msg=f"{name}?", timestamp=NOON, **fields
    )


def bot(name: str, seq: int, reply_to: str, **fields: Any) -> StoredMessage:
    values: dict[str, Any] = {"msg": f"{name}.", "timestamp": NOON, "source": "bot"} | fields
    return StoredMessage(id=id_of(name), seq=seq, reply_to=id_of(reply_to), **values)


def session(*messages: StoredMessage, **fields: Any) -> Session:
    """Return a session; its `pending` defaults to the messages without a reply."""
    answered = {message.reply_to for message in messages}
    waiting = (message for message in messages if message.source == "human")
    values: dict[str, Any] = {
        "id": "s",
        "name": "Ada",
        "session_start": NOON,
        "expires_at": NOON,
        "remaining_s": 600,
        "messages": messages,
        "last_seq": messages[-1].seq if messages else 0,
        "pending": tuple(message.id for message in waiting if message.id not in answered),
    }
    return Session(**values | fields)
