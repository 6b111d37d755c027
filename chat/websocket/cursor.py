"""What one socket has been told, so that nothing is told twice and a gap is seen."""

from collections.abc import Iterable
from enum import Enum, auto
from uuid import UUID

from chat.protocol import (
    MessageAccepted,
    ReplyCompleted,
    ReplyDelta,
    ReplyFailed,
    ReplyStarted,
    ServerFrame,
    reply_frame,
)
from chat.schemas import Message, PartialReply, Session, StoredMessage

RECENT = 16


class Decision(Enum):
    """What to do with an event."""

    DELIVER = auto()
    DUPLICATE = auto()
    GAP = auto()


class Cursor:
    """The place in a session's history up to which a socket knows it.

    `waiting` holds the messages without a reply, oldest first; the first may be the one whose
    reply `writing` is.
    """

    def __init__(self, session: Session) -> None:
        """Begin at what a client knows that was told the whole of `session`."""
        self.last_seq = session.last_seq
        self.waiting = list(session.pending)
        self.writing = session.partial_reply.id if session.partial_reply else None
        self.written_chars = len(session.partial_reply.text) if session.partial_reply else 0
        self._recent: dict[int, UUID] = {}
        self._remember(session.messages)

    @property
    def last_id(self) -> UUID | None:
        """The id of the message `last_seq`, where it is known."""
        return self._recent.get(self.last_seq)

    @property
    def queued(self) -> int:
        """How many messages wait without being written."""
        return len(self.waiting) - (self.writing is not None)

    def see(self, frame: ServerFrame) -> Decision:
        """Decide on an event, and count it as told where the answer is DELIVER."""
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
                return Decision.DELIVER

    def catch_up(self, session: Session) -> list[ServerFrame] | None:
        """Return the frames this socket missed and count them as told.

        `session` is what the document has after `last_seq`. None where no frames can tell it:
        what the socket was told is not in the document any more, or was replaced since.
        """
        if not session.recovered or any(message.replaced_by for message in session.messages):
            return None
        frames = [_frame(message.public()) for message in session.messages]
        self.last_seq = session.last_seq
        self._remember(session.messages)
        self.waiting = list(session.pending)
        if session.partial_reply is None:
            self.writing, self.written_chars = None, 0
            return frames
        return frames + self._catch_up_text(session.partial_reply)

    def _catch_up_text(self, writing: PartialReply) -> list[ServerFrame]:
        frames: list[ServerFrame] = []
        if writing.id != self.writing:
            self.writing, self.written_chars = writing.id, 0
            frames.append(ReplyStarted(reply_to=writing.reply_to, id=writing.id))
        if text := writing.text[self.written_chars :]:
            offset = self.written_chars
            self.written_chars += len(text)
            frames.append(
                ReplyDelta(reply_to=writing.reply_to, id=writing.id, offset=offset, text=text)
            )
        return frames

    def _see_message(self, message: Message) -> Decision:
        if message.seq <= self.last_seq:
            # The same number for another message: the document has lost what was told.
            is_ours = self._recent.get(message.seq, message.id) == message.id
            return Decision.DUPLICATE if is_ours else Decision.GAP
        if message.seq > self.last_seq + 1:
            return Decision.GAP
        self.last_seq = message.seq
        self._remember([message])
        if message.reply_to is None:
            self.waiting.append(message.id)
        elif message.reply_to in self.waiting:
            self.waiting.remove(message.reply_to)
            self.writing, self.written_chars = None, 0
        return Decision.DELIVER

    def _see_start(self, frame: ReplyStarted) -> Decision:
        if frame.id == self.writing:
            return Decision.DUPLICATE
        if self.waiting[:1] != [frame.reply_to]:
            return Decision.GAP
        self.writing, self.written_chars = frame.id, 0
        return Decision.DELIVER

    def _see_delta(self, frame: ReplyDelta) -> Decision:
        if frame.id != self.writing or frame.offset > self.written_chars:
            return Decision.GAP
        end = frame.offset + len(frame.text)
        if end <= self.written_chars:
            return Decision.DUPLICATE
        self.written_chars = end
        return Decision.DELIVER

    def _remember(self, messages: Iterable[Message | StoredMessage]) -> None:
        for message in messages:
            self._recent[message.seq] = message.id
        for seq in sorted(self._recent)[:-RECENT]:
            del self._recent[seq]


def _frame(message: Message) -> ServerFrame:
    return reply_frame(message) if message.reply_to else MessageAccepted(message=message)
