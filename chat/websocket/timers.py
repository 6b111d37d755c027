"""The timers of one socket: what is due although no event arrived. No I/O but waiting."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum, auto

from chat.schemas import Session
from chat.websocket.cursor import Cursor

# Resync if nothing arrives while a reply is due.
REPLY_SILENCE_S = 2.0
# Load the queue position of a message that waits for the first time; then QueuePositions does.
FIRST_POSITION_S = 0.5
EXPIRY_WARNINGS_S = (300.0, 60.0)
TOLERANCE_S = 0.05
EXPIRY_RETRY_S = 1.0


class Timer(Enum):
    """What is due."""

    RESYNC = auto()
    EXPIRY_WARNING = auto()
    EXPIRY = auto()


class SessionTimers:
    """Times by the event loop's monotonic clock; a session's remaining time by Redis' clock.

    RESYNC is due after a message has waited for a worker for a moment, and repeats while a reply is
    in progress but nothing arrives: an event may have been lost. What an idle socket misses, its
    heartbeat finds, and what one with a message that waits misses, its queue position.
    """

    def __init__(self, session: Session, cursor: Cursor, shows_queue_position: bool) -> None:
        self._now = asyncio.get_running_loop().time
        self._shows_queue_position = shows_queue_position
        self._changed = asyncio.Event()
        self._wakes_at = 0.0
        self._last_warning_s = 0.0
        self._progress_at = self._now()
        self._resync_at = 0.0
        self._queued, self._is_waiting, self._is_missing = 0, False, False
        self._first_position_at: float | None = None
        self.update_expiry(session.expires_at, session.remaining_s)
        self.record_progress(cursor)

    def record_progress(self, cursor: Cursor) -> None:
        """Restart the silence timers after a frame, and note what the socket waits for."""
        self._progress_at = self._now()
        if cursor.queued > self._queued:
            delay_s = FIRST_POSITION_S if self._shows_queue_position else REPLY_SILENCE_S
            self._first_position_at = self._progress_at + delay_s
        elif not cursor.queued:
            self._first_position_at = None
        self._queued = cursor.queued
        self._is_waiting, self._is_missing = bool(cursor.waiting), False
        self._wake_if_earlier()

    def update_expiry(self, expires_at: datetime, remaining_s: float) -> None:
        """Note when the session expires."""
        self.expires_at = expires_at
        self._expiry_at = self._now() + remaining_s
        self._warnings_s = [mark for mark in EXPIRY_WARNINGS_S if mark < remaining_s - TOLERANCE_S]
        self._wake_if_earlier()

    def ended_at(self) -> datetime:
        """Return when a session that is gone ended: at its expiry, or now if it was deleted."""
        return min(self.expires_at, datetime.now(UTC))

    def resync_soon(self) -> None:
        """Make RESYNC due soon, because something was missed and could not be loaded."""
        self._is_missing = True
        self._wake_if_earlier()

    def expires_as_warned(self, session: Session) -> bool:
        """Return whether the session still expires as soon as the last EXPIRY_WARNING assumed."""
        return session.remaining_s <= self._last_warning_s + TOLERANCE_S

    async def next(self) -> Timer:
        """Wait for the next timer and restart it."""
        while True:
            at, timer = min(self._due(), key=lambda due: due[0])
            if at <= self._now():
                self._restart(timer)
                return timer
            self._wakes_at = at
            self._changed.clear()
            try:
                async with asyncio.timeout_at(at):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _due(self) -> Iterator[tuple[float, Timer]]:
        yield self._expiry_at + TOLERANCE_S, Timer.EXPIRY
        if self._first_position_at is not None:
            yield self._first_position_at, Timer.RESYNC
        elif self._is_missing or (self._is_waiting and not self._queued):
            yield max(self._progress_at, self._resync_at) + REPLY_SILENCE_S, Timer.RESYNC
        if self._warnings_s:
            yield self._expiry_at - self._warnings_s[0], Timer.EXPIRY_WARNING

    def _wake_if_earlier(self) -> None:
        if min(at for at, _ in self._due()) < self._wakes_at:
            self._changed.set()

    def _restart(self, timer: Timer) -> None:
        match timer:
            case Timer.RESYNC:
                self._resync_at = self._now()
                self._first_position_at = None
            case Timer.EXPIRY_WARNING:
                self._last_warning_s = self._warnings_s.pop(0)
            case Timer.EXPIRY:
                self._expiry_at = self._now() + EXPIRY_RETRY_S
