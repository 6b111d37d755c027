"""The two ways to speak on the socket: chat.v1, and plain for any WebSocket tool."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from pydantic import Field

from chat.errors import ErrorCode
from chat.protocol import (
    SUBPROTOCOL,
    ClientFrame,
    Error,
    MessageSend,
    ReplyCompleted,
    ReplyFailed,
    ServerFrame,
    SessionReady,
    parse_frame,
    reply_frame,
)
from chat.schemas import FrozenModel, Message, Timestamp

# The frames that carry a message, by which a client knows where it is in the history.
MESSAGE_FRAMES = frozenset({"message.accepted", "reply.completed", "reply.failed"})


class PlainReply(FrozenModel):
    """What a plain client is sent: a reply, or why there is none."""

    id: UUID
    msg: str = Field(description="The reply, or a sentence that says what is wrong.")
    timestamp: Timestamp
    error: ErrorCode | None = Field(default=None, description="Only where something is wrong.")


class Dialect(Protocol):
    """How a client's text is read and what it is told."""

    name: str
    subprotocol: str | None

    def parse(self, text: str) -> ClientFrame:
        """Return the frame a client's text stands for; raises InvalidFrame."""

    def follows(self, kind: str) -> bool:
        """Return whether events of this type concern the dialect at all."""

    def render(self, frame: ServerFrame) -> str | None:
        """Return the text for a frame, or None where this dialect does not tell it."""

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        """Return the frames that tell a client what it missed."""


class ChatV1Codec:
    """Typed frames both ways."""

    name = SUBPROTOCOL
    subprotocol: str | None = SUBPROTOCOL

    def parse(self, text: str) -> ClientFrame:
        return parse_frame(text)

    def follows(self, kind: str) -> bool:
        return True

    def render(self, frame: ServerFrame) -> str | None:
        return frame.model_dump_json()

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        return [ready]


class PlainCodec:
    """Text in, one JSON object with `id`, `msg`, `timestamp` for every answer or failure."""

    name = "plain"
    subprotocol: str | None = None

    def parse(self, text: str) -> ClientFrame:
        return MessageSend(id=uuid4(), msg=text)

    def follows(self, kind: str) -> bool:
        return kind in MESSAGE_FRAMES

    def render(self, frame: ServerFrame) -> str | None:
        match frame:
            case ReplyCompleted(message=message):
                return _answer(message.id, message.msg, message.timestamp)
            case ReplyFailed(message=message) if message.error:
                error = message.error
                return _answer(message.id, error.detail, message.timestamp, error.code)
            case Error(code=ErrorCode.SESSION_UNKNOWN):
                return None
            case Error():
                return _answer(uuid4(), frame.detail, datetime.now(UTC), frame.code)
            case _:
                return None

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        return [
            reply_frame(message)
            for message in ready.messages
            if isinstance(message, Message) and message.source == "bot"
        ]


def _answer(id_: UUID, msg: str, timestamp: datetime, error: ErrorCode | None = None) -> str:
    answer = PlainReply(id=id_, msg=msg, timestamp=timestamp, error=error)
    return answer.model_dump_json(exclude_none=True)
