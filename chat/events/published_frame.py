"""A server frame as it travels in an event: its JSON, and what a socket must know to place it.

Every socket forwards the JSON as it is. `Position` spares it from parsing each frame to find out
whether the frame is the next one, a duplicate, or comes after a gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import StrictInt, StrictStr, TypeAdapter, ValidationError

from chat.protocol import (
    Frame,
    MessageAccepted,
    ReplyCompleted,
    ReplyDelta,
    ReplyFailed,
    ReplyRated,
    ReplyStarted,
)


class InvalidEvent(Exception):
    """An event that this version cannot read: another version or another program sent it."""


@dataclass(frozen=True)
class Position:
    """Where a frame belongs in a session's history.

    `id` and `reply_to` are those of a message or reply; `seq` numbers a message; `offset` and
    `length` place a delta in its reply, in characters; `revision` and the one before it place a
    rating among all of the session. A frame without an id has no place there.
    """

    type: StrictStr
    id: StrictStr = ""
    reply_to: StrictStr | None = None
    seq: StrictInt = 0
    offset: StrictInt = 0
    length: StrictInt = 0
    revision: StrictInt = 0
    previous: StrictInt = 0


@dataclass(frozen=True)
class PublishedFrame:
    """A frame's JSON and its position."""

    json: str
    position: Position

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Serialize a frame."""
        return cls(frame.model_dump_json(), position_of(frame))


_pairs = TypeAdapter(list[tuple[str, str]])
_positions = TypeAdapter(list[Position])


def frames_event(frames: Sequence[Frame], trace: str | None) -> dict[str, Any]:
    """Return the event that carries frames, as values that a channel layer can send."""
    published = [PublishedFrame.of(frame) for frame in frames]
    event: dict[str, Any] = {
        "type": "session.event",
        "frames": [(frame.position.type, frame.json) for frame in published],
        "positions": [vars(frame.position) for frame in published],
    }
    return event | {"trace": trace} if trace else event


def frames_of(event: Mapping[str, Any]) -> list[PublishedFrame]:
    """Return the frames of an event; raises InvalidEvent.

    While processes are replaced, the sender may be another version.
    """
    try:
        pairs = _pairs.validate_python(event.get("frames"))
        positions = _positions.validate_python(event.get("positions"))
        return [
            PublishedFrame(json, position)
            for (_, json), position in zip(pairs, positions, strict=True)
        ]
    except (ValidationError, ValueError) as error:
        raise InvalidEvent from error


def position_of(frame: Frame) -> Position:
    """Return where a frame belongs."""
    match frame:
        case MessageAccepted(message=m) | ReplyCompleted(message=m) | ReplyFailed(message=m):
            reply_to = str(m.reply_to) if m.reply_to else None
            return Position(frame.type, id=str(m.id), reply_to=reply_to, seq=m.seq)
        case ReplyStarted():
            return Position(frame.type, id=str(frame.id), reply_to=str(frame.reply_to))
        case ReplyRated():
            return Position(
                frame.type,
                id=str(frame.id),
                reply_to=str(frame.reply_to),
                revision=frame.revision,
                previous=frame.previous,
            )
        case ReplyDelta():
            return Position(
                frame.type,
                id=str(frame.id),
                reply_to=str(frame.reply_to),
                offset=frame.offset,
                length=len(frame.text),
            )
        case _:
            return Position(frame.type)
