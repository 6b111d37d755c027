"""Small builders of the domain's values, for tables."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from chat.schemas import Message, Session, StoredMessage

NAMESPACE = UUID("00000000-0000-4000-8000-000000000000")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def named(name: str) -> UUID:
    """Return an id that is always the same for a name."""
    return uuid5(NAMESPACE, name)


def human(name: str, seq: int, **fields: Any) -> StoredMessage:
    return StoredMessage(
        id=named(name), seq=seq, source="human", msg=f"{name}?", timestamp=NOON, **fields
    )


def bot(name: str, seq: int, reply_to: str, **fields: Any) -> StoredMessage:
    values: dict[str, Any] = {"msg": f"{name}.", "timestamp": NOON} | fields
    return StoredMessage(id=named(name), seq=seq, source="bot", reply_to=named(reply_to), **values)


def public(message: StoredMessage) -> Message:
    return message.public()


def session(*messages: StoredMessage, **fields: Any) -> Session:
    """Return a session whose `pending` follows from its messages."""
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
