"""What a socket was told about the person in its session. No I/O."""

from chat.protocol import OperatorJoined, OperatorLeft, OperatorRequested, ServerFrame
from chat.schemas import Operator, Session


class Presence:
    """Compares the document with what the socket was told, so that lost events do not matter."""

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
