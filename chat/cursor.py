"""What one socket has been told, so that nothing is told twice and a gap is seen."""

from dataclasses import dataclass, field
from enum import Enum, auto
from uuid import UUID

from chat.protocol import (
    MessageAccepted,
    ReplyCompleted,
    ReplyDelta,
    ReplyFailed,
    ReplyStarted,
    ServerFrame,
)
from chat.schemas import Message, Session


class Verdict(Enum):
    """What to do with an event."""

    TELL = auto()
    KNOWN = auto()
    GAP = auto()


@dataclass
class Cursor:
    """The place in a session's history up to which a socket knows it."""

    last_seq: int = 0
    writing: UUID | None = None
    written_chars: int = 0
    waiting: set[UUID] = field(default_factory=set)

    @classmethod
    def at(cls, session: Session) -> "Cursor":
        """Return the cursor of a client that was told the whole of `session`."""
        writing = session.writing
        return cls(
            last_seq=session.last_seq,
            writing=writing.id if writing else None,
            written_chars=len(writing.text) if writing else 0,
            waiting=set(session.pending),
        )

    def see(self, frame: ServerFrame) -> Verdict:
        """Decide on an event, and count it as told where the answer is TELL."""
        match frame:
            case MessageAccepted(message=message):
                return self._see_message(message)
            case ReplyCompleted(message=message) | ReplyFailed(message=message):
                return self._see_message(message)
            case ReplyStarted():
                return self._see_start(frame)
            case ReplyDelta():
                return self._see_delta(frame)
            case _:
                return Verdict.TELL

    def _see_message(self, message: Message) -> Verdict:
        if message.seq <= self.last_seq:
            return Verdict.KNOWN
        if message.seq > self.last_seq + 1:
            return Verdict.GAP
        self.last_seq = message.seq
        if message.reply_to:
            self.waiting.discard(message.reply_to)
            self.writing, self.written_chars = None, 0
        else:
            self.waiting.add(message.id)
        return Verdict.TELL

    def _see_start(self, frame: ReplyStarted) -> Verdict:
        if frame.id == self.writing:
            return Verdict.KNOWN
        self.writing, self.written_chars = frame.id, 0
        return Verdict.TELL

    def _see_delta(self, frame: ReplyDelta) -> Verdict:
        if frame.id != self.writing or frame.offset > self.written_chars:
            return Verdict.GAP
        end = frame.offset + len(frame.text)
        if end <= self.written_chars:
            return Verdict.KNOWN
        self.written_chars = end
        return Verdict.TELL
