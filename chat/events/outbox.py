"""What threads want told to sessions and nobody has sent yet."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from chat.protocol import Frame, ReplyDelta

MAX_FRAMES = 10_000


class OutboxFull(Exception):
    """Too much waits to be sent."""


@dataclass
class Parcel:
    """The frames that a session is sent next, and the trace of the first."""

    trace: str | None
    frames: list[Frame] = field(default_factory=list)


class Outbox:
    """Frames by session, in the order they came. Threads may share it.

    Pieces of one reply that wait are one piece, so a sender that falls behind sends longer ones,
    not more.
    """

    def __init__(self) -> None:
        self._parcels: dict[str, Parcel] = {}
        self._count = 0
        self._lock = threading.Lock()

    def put(self, session: str, frames: Sequence[Frame], trace: str | None) -> bool:
        """Add frames; return whether the session had none, so that someone must come for them.

        Raises OutboxFull.
        """
        with self._lock:
            if self._count >= MAX_FRAMES:
                raise OutboxFull
            is_new = session not in self._parcels
            parcel = self._parcels.setdefault(session, Parcel(trace))
            before = len(parcel.frames)
            for frame in frames:
                _add(parcel.frames, frame)
            self._count += len(parcel.frames) - before
            return is_new

    def take(self, session: str) -> Parcel:
        """Take out all that waits for a session."""
        with self._lock:
            parcel = self._parcels.pop(session)
            self._count -= len(parcel.frames)
            return parcel


def _add(frames: list[Frame], frame: Frame) -> None:
    last = frames[-1] if frames else None
    if isinstance(frame, ReplyDelta) and isinstance(last, ReplyDelta) and _follows(frame, last):
        frames[-1] = last.model_copy(update={"text": last.text + frame.text})
    else:
        frames.append(frame)


def _follows(frame: ReplyDelta, last: ReplyDelta) -> bool:
    return frame.id == last.id and frame.offset == last.offset + len(last.text)
