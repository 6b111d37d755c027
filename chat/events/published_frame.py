"""A server frame as it travels in an event: its JSON, and what a socket must know to place it.

Every socket forwards the JSON as it is. `Position` spares it from parsing each frame to find out
whether the frame is the next one, a duplicate, or comes after a gap.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

from chat.protocol import (
    Frame,
    MessageAccepted,
    ReplyCompleted,
    ReplyDelta,
    ReplyFailed,
    ReplyStarted,
)


@dataclass(frozen=True)
class Position:
    """Where a frame belongs in a session's history.

    `id` and `reply_to` are those of a message or reply; `seq` numbers a message; `offset` and
    `length` place a delta in its reply, in characters. A frame with an empty id has no place in the
    history.
    """

    type: str
    id: str = ""
    reply_to: str | None = None
    seq: int = 0
    offset: int = 0
    length: int = 0


@dataclass(frozen=True)
class PublishedFrame:
    """A frame's JSON and its position."""

    json: str
    position: Position

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """Serialize a frame."""
        return cls(frame.model_dump_json(), position_of(frame))

    def to_event(self) -> dict[str, Any]:
        """Return a value that a channel layer can send."""
        return {"json": self.json, **asdict(self.position)}

    @classmethod
    def from_event(cls, value: Any) -> Self:
        """Read what `to_event` returned; raises TypeError for anything else.

        While processes are replaced, another version may be the sender.
        """
        fields = dict(value) if isinstance(value, dict) else {}
        return cls(fields.pop("json", ""), Position(**fields))


def position_of(frame: Frame) -> Position:
    """Return where a frame belongs."""
    match frame:
        case MessageAccepted(message=m) | ReplyCompleted(message=m) | ReplyFailed(message=m):
            reply_to = str(m.reply_to) if m.reply_to else None
            return Position(frame.type, id=str(m.id), reply_to=reply_to, seq=m.seq)
        case ReplyStarted():
            return Position(frame.type, id=str(frame.id), reply_to=str(frame.reply_to))
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
