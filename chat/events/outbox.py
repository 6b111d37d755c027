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
    """The frames to send to a session next, and the first trace that one of them has.

    `is_changed` means that more than its messages has changed.
    """

    trace: str | None
    frames: list[Frame] = field(default_factory=list)
    is_changed: bool = False


class Outbox:
    """Frames by session, in order. Thread-safe.

    Deltas of one reply are joined while they wait, so a sender that falls behind sends longer
    deltas, not more of them.
    """

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._count = 0
        self._is_sending = False
        self._lock = threading.Lock()

    def put(self, session: str, frames: Sequence[Frame], trace: str | None) -> bool:
        """Add frames; return whether nothing is being sent, so that a send must be scheduled.

        Without frames, the session has changed. Raises OutboxFull.
        """
        with self._lock:
            if self._count >= MAX_FRAMES:
                raise OutboxFull
            batch = self._batches.setdefault(session, Batch(trace))
            batch.trace = batch.trace or trace
            batch.is_changed = batch.is_changed or not frames
            before = len(batch.frames)
            for frame in frames:
                _append(batch.frames, frame)
            self._count += len(batch.frames) - before
            must_send, self._is_sending = not self._is_sending, True
            return must_send

    def take_all(self) -> dict[str, Batch]:
        """Remove and return what waits, by session; if nothing does, the sending has ended."""
        with self._lock:
            batches, self._batches, self._count = self._batches, {}, 0
            self._is_sending = bool(batches)
            return batches


def _append(frames: list[Frame], frame: Frame) -> None:
    last = frames[-1] if frames else None
    if isinstance(frame, ReplyDelta) and isinstance(last, ReplyDelta) and _continues(frame, last):
        frames[-1] = last.model_copy(update={"text": last.text + frame.text})
    else:
        frames.append(frame)


def _continues(frame: ReplyDelta, last: ReplyDelta) -> bool:
    return frame.id == last.id and frame.offset == last.offset + len(last.text)
