"""What one socket was sent, so that nothing is sent twice and a gap is noticed. No I/O."""

from collections.abc import Iterable
from enum import Enum, auto
from uuid import UUID

from chat.events.published_frame import Position
from chat.protocol import (
    OperatorJoined,
    OperatorLeft,
    OperatorRequested,
    ReplyDelta,
    ReplyRated,
    ReplyStarted,
    ServerFrame,
    message_frame,
)
from chat.schemas import ChangedRating, Operator, PartialReply, Session

REMEMBERED_IDS = 16
UNKNOWN_REVISION = 2**53 - 1  # greater than every revision


class Decision(Enum):
    """What to do with a frame that arrives."""

    DELIVER = auto()
    DUPLICATE = auto()
    GAP = auto()


class Cursor:
    """The point in a session's history up to which a socket knows it.

    `waiting` contains the ids of messages without a reply, oldest first; the first one may be the
    one that is being answered by the reply `partial_id`.
    """

    def __init__(self, session: Session) -> None:
        """Start after everything in `session`."""
        self._recent_ids: dict[int, str] = {}
        self._partial_chars = 0
        self.partial_id: str | None = None
        self._set_state(session)
        if session.partial_reply:
            self.partial_id = str(session.partial_reply.id)
            self._partial_chars = len(session.partial_reply.text)

    @property
    def last_id(self) -> UUID | None:
        """The id of the message with `last_seq`, if it is known."""
        known = self._recent_ids.get(self.last_seq)
        return UUID(known) if known else None

    @property
    def queued(self) -> int:
        """How many messages wait that are not being answered."""
        return len(self.waiting) - (self.partial_id is not None)

    def decide(self, position: Position) -> Decision:
        """Decide on a frame; if the decision is DELIVER, count it as sent."""
        match position.type:
            case "message.accepted" | "reply.completed" | "reply.failed":
                return self._place_message(position)
            case "reply.started":
                return self._place_start(position)
            case "reply.delta":
                return self._place_delta(position)
            case "reply.rated":
                return self._place_rating(position)
            case _:
                return Decision.DELIVER

    def catch_up(self, session: Session) -> list[ServerFrame] | None:
        """Return the frames that this socket missed and count them as sent.

        `session` contains the messages after `last_seq`. Returns None if frames cannot express the
        change: what the socket was sent is no longer in the document, or was replaced since.
        """
        ids = {message.id for message in session.messages}
        # A reply that failed to replace an older one names that one, which the socket knows.
        is_known = session.recovered and not session.is_restarted
        if not is_known or any(message.replaced_by in ids for message in session.messages):
            return None
        frames: list[ServerFrame] = [
            message_frame(message.public()) for message in session.messages
        ]
        frames += rated_frames(session.ratings)
        self._set_state(session)
        if session.partial_reply is None:
            self.partial_id, self._partial_chars = None, 0
            return frames
        return frames + self._catch_up_text(session.partial_reply)

    def _set_state(self, session: Session) -> None:
        self.last_seq = session.last_seq
        self.ratings_revision = session.ratings_revision
        self.waiting = [str(message) for message in session.pending]
        self._remember((message.seq, str(message.id)) for message in session.messages)

    def _catch_up_text(self, partial: PartialReply) -> list[ServerFrame]:
        frames: list[ServerFrame] = []
        if str(partial.id) != self.partial_id:
            self.partial_id, self._partial_chars = str(partial.id), 0
            frames.append(
                ReplyStarted(
                    reply_to=partial.reply_to,
                    id=partial.id,
                    operator=partial.operator,
                    continues=partial.continues,
                )
            )
        offset = self._partial_chars
        if text := partial.text[offset:]:
            self._partial_chars += len(text)
            frames.append(
                ReplyDelta(reply_to=partial.reply_to, id=partial.id, offset=offset, text=text)
            )
        return frames

    def _place_message(self, message: Position) -> Decision:
        if message.seq <= self.last_seq:
            # Another message with this seq means that the document lost what the socket was sent.
            is_same = self._recent_ids.get(message.seq, message.id) == message.id
            return Decision.DUPLICATE if is_same else Decision.GAP
        if message.seq > self.last_seq + 1:
            return Decision.GAP
        self.last_seq = message.seq
        self._remember([(message.seq, message.id)])
        if message.type == "message.accepted":
            self.waiting.append(message.id)
        elif message.reply_to in self.waiting:
            self.waiting.remove(message.reply_to)
            self.partial_id, self._partial_chars = None, 0
        return Decision.DELIVER

    def _place_start(self, start: Position) -> Decision:
        if start.id == self.partial_id:
            return Decision.DUPLICATE
        if self.waiting[:1] != [start.reply_to]:
            return Decision.GAP
        self.partial_id, self._partial_chars = start.id, 0
        return Decision.DELIVER

    def _place_delta(self, delta: Position) -> Decision:
        if delta.id != self.partial_id or delta.offset > self._partial_chars:
            return Decision.GAP
        end = delta.offset + delta.length
        if end <= self._partial_chars:
            return Decision.DUPLICATE
        self._partial_chars = end
        return Decision.DELIVER

    def _place_rating(self, rated: Position) -> Decision:
        if rated.revision <= self.ratings_revision:
            return Decision.DUPLICATE
        if rated.previous != self.ratings_revision:
            if rated.previous < self.ratings_revision:
                # The document lost a rating that the socket was sent.
                self.ratings_revision = UNKNOWN_REVISION
            return Decision.GAP
        self.ratings_revision = rated.revision
        return Decision.DELIVER

    def _remember(self, ids: Iterable[tuple[int, str]]) -> None:
        self._recent_ids.update(ids)
        for seq in sorted(self._recent_ids)[:-REMEMBERED_IDS]:
            del self._recent_ids[seq]


class Presence:
    """What a socket was sent about the person who answers, compared with the document."""

    def __init__(self, session: Session) -> None:
        """Start with what `session.ready` contains."""
        self.operator = _operator(session)
        self._is_requested = session.operator_requested

    def catch_up(self, session: Session) -> list[ServerFrame]:
        """Return the frames for what has changed, and count them as sent."""
        before, self.operator = self.operator, _operator(session)
        frames: list[ServerFrame] = []
        if before != self.operator:
            if before:
                frames.append(OperatorLeft(name=before.name))
            if self.operator:
                joined_at = self.operator.joined_at
                frames.append(OperatorJoined(name=self.operator.name, joined_at=joined_at))
        if session.operator_requested != self._is_requested:
            available = session.operators_on_duty > 0
            frames.append(self.note_request(session.operator_requested, available=available))
        return frames

    def note_request(self, requested: bool, *, available: bool) -> OperatorRequested:
        """Return the frame about a request, and count it as sent."""
        self._is_requested = requested
        return OperatorRequested(requested=requested, available=available)


def _operator(session: Session) -> Operator | None:
    return session.operator.public() if session.operator else None


def rated_frames(ratings: Iterable[ChangedRating]) -> list[ReplyRated]:
    """Return the frames for changed ratings."""
    return [ReplyRated(**dict(rating)) for rating in ratings]
