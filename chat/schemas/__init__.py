"""Session and message: one set of types for HTTP, WebSocket, documents and storage.

In storage a time is a number of milliseconds since 1970 by Redis' clock; everywhere else it is
ISO 8601 in UTC. Pydantic reads both.
"""

from chat.schemas.fields import (
    ClientUuid,
    FrozenModel,
    Timestamp,
    format_timestamp,
    has_invisible,
    parse_uuid,
    show_invisible,
)
from chat.schemas.messages import (
    Failure,
    FinishReason,
    Message,
    NewReply,
    Rating,
    Record,
    Replaced,
    Source,
    StoredMessage,
    Timings,
    Usage,
    stored_messages,
)
from chat.schemas.session import (
    ChangedRating,
    History,
    HistoryMessage,
    Operator,
    PartialReply,
    QueueState,
    Session,
    StoredOperator,
    session_id,
)

__all__ = [
    "ChangedRating",
    "ClientUuid",
    "Failure",
    "FinishReason",
    "FrozenModel",
    "History",
    "HistoryMessage",
    "Message",
    "NewReply",
    "Operator",
    "PartialReply",
    "QueueState",
    "Rating",
    "Record",
    "Replaced",
    "Session",
    "Source",
    "StoredMessage",
    "StoredOperator",
    "Timestamp",
    "Timings",
    "Usage",
    "format_timestamp",
    "has_invisible",
    "parse_uuid",
    "session_id",
    "show_invisible",
    "stored_messages",
]
