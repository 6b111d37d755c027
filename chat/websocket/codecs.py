"""The two frame formats on the socket: chat.v1, and plain for any WebSocket tool."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from pydantic import Field

from chat.errors import ErrorCode
from chat.events.published_frame import PublishedFrame
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
    server_frames,
)
from chat.schemas import FrozenModel, Message, Timestamp

# The frames that contain a message. They place a socket in the history.
MESSAGE_FRAMES = frozenset({"message.accepted", "reply.completed", "reply.failed"})

# A frame made here, or one that an event brought as JSON.
OutgoingFrame = ServerFrame | PublishedFrame


class PlainReply(FrozenModel):
    """What a plain client receives: a reply, or why there is none."""

    id: UUID
    msg: str = Field(description="The reply, or a sentence that says what is wrong.")
    timestamp: Timestamp
    error: ErrorCode | None = Field(default=None, description="Only if something is wrong.")


class Codec(Protocol):
    """How frames are read from a client's text and written for it."""

    name: str
    subprotocol: str | None

    def decode(self, text: str) -> ClientFrame:
        """Return the frame in a client's text; raises InvalidFrame."""

    def carries(self, frame_type: str) -> bool:
        """Return whether published frames of this type concern the codec at all."""

    def encode(self, frame: OutgoingFrame) -> str | None:
        """Return the text of a frame, or None if this codec does not send it."""

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        """Return the frames that bring a connected client up to date."""


class ChatV1Codec:
    """Typed JSON frames in both directions."""

    name = SUBPROTOCOL
    subprotocol: str | None = SUBPROTOCOL

    def decode(self, text: str) -> ClientFrame:
        return parse_frame(text)

    def carries(self, frame_type: str) -> bool:
        return True

    def encode(self, frame: OutgoingFrame) -> str | None:
        return frame.json if isinstance(frame, PublishedFrame) else frame.model_dump_json()

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        return [ready]


class PlainCodec:
    """Text in; one JSON object with `id`, `msg` and `timestamp` out for each reply or failure."""

    name = "plain"
    subprotocol: str | None = None

    def decode(self, text: str) -> ClientFrame:
        return MessageSend(id=uuid4(), msg=text)

    def carries(self, frame_type: str) -> bool:
        return frame_type in MESSAGE_FRAMES

    def encode(self, frame: OutgoingFrame) -> str | None:
        if isinstance(frame, PublishedFrame):
            frame = server_frames.validate_json(frame.json)
        match frame:
            case ReplyCompleted(message=m) | ReplyFailed(message=m) if m.version_of:
                return None  # its text was sent before
            case ReplyCompleted(message=message):
                return _encode(message.id, message.msg, message.timestamp)
            case ReplyFailed(message=message) if message.error:
                error = message.error
                return _encode(message.id, error.detail, message.timestamp, error.code)
            case Error(code=ErrorCode.SESSION_UNKNOWN):
                return None
            case Error():
                return _encode(uuid4(), frame.detail, datetime.now(UTC), frame.code)
            case _:
                return None

    def catch_up(self, ready: SessionReady) -> Sequence[ServerFrame]:
        return [
            reply_frame(message)
            for message in ready.messages
            if isinstance(message, Message) and message.source == "bot"
        ]


def _encode(id_: UUID, msg: str, timestamp: datetime, error: ErrorCode | None = None) -> str:
    reply = PlainReply(id=id_, msg=msg, timestamp=timestamp, error=error)
    return reply.model_dump_json(exclude_none=True)
