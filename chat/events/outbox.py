"""Frames that threads have published and that are not sent yet."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from chat.protocol import Frame, ReplyDelta

MAX_FRAMES = 10_000


class OutboxFull(Exception):
    """Too many frames are waiting to be sent."""


@dataclass
class Batch:
    """The frames to send to a session next, and the trace of the first one."""

    trace: str | None
    frames: list[Frame] = field(default_factory=list)


class Outbox:
    """Frames by session, in order. Thread-safe.

    Deltas of one reply are joined while they wait, so a sender that falls behind sends longer
    deltas, not more of them.
    """

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._count = 0
        self._lock = threading.Lock()

    def put(self, session: str, frames: Sequence[Frame], trace: str | None) -> bool:
        """Add frames; return whether the session had none, so that a send must be scheduled.

        Raises OutboxFull.
        """
        with self._lock:
            if self._count >= MAX_FRAMES:
                raise OutboxFull
            is_new = session not in self._batches
            batch = self._batches.setdefault(session, Batch(trace))
            before = len(batch.frames)
            for frame in frames:
                _append(batch.frames, frame)
            self._count += len(batch.frames) - before
            return is_new

    def take(self, session: str) -> Batch:
        """Remove and return all frames of a session."""
        with self._lock:
            batch = self._batches.pop(session)
            self._count -= len(batch.frames)
            return batch


def _append(frames: list[Frame], frame: Frame) -> None:
    last = frames[-1] if frames else None
    if isinstance(frame, ReplyDelta) and isinstance(last, ReplyDelta) and _continues(frame, last):
        frames[-1] = last.model_copy(update={"text": last.text + frame.text})
    else:
        frames.append(frame)


def _continues(frame: ReplyDelta, last: ReplyDelta) -> bool:
    return frame.id == last.id and frame.offset == last.offset + len(last.text)
