"""The clock of one socket: when to look at the session although no event came."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum, auto

from chat.schemas import Session
from chat.websocket.cursor import Cursor

SIGN_OF_LIFE_S = 8.0
SILENCE_S = 2.0
IDLE_S = 30.0
FIRST_PLACE_S = 0.5
PLACE_AGAIN_S = 1.5
WARNINGS_S = (300.0, 60.0)
SLACK_S = 0.05
AGAIN_S = 1.0


class Timer(Enum):
    """What the clock asks for."""

    SIGN_OF_LIFE = auto()
    LOOK = auto()
    WARNING = auto()
    END = auto()


class SessionTimers:
    """Times by the loop's monotonic clock; what is left of a session is by Redis'.

    LOOK is due while a message waits for its turn, again and again, and while its reply is written
    but nothing is heard of it: nobody waits for an event that was lost. It is due now and then for
    those who wait for nothing: another tab's words may be what was lost.
    """

    def __init__(self, session: Session, cursor: Cursor, tells_places: bool) -> None:
        self._time = asyncio.get_running_loop().time
        self._tells_places = tells_places
        self._stirred = asyncio.Event()
        self._wakes_at = 0.0
        self._warned_at_s = 0.0
        self._heard_at = self._signed_at = self._time()
        self._looked_at = 0.0
        self._queued, self._queued_at, self._is_waiting = 0, 0.0, False
        self.renew(session)
        self.hear(cursor)

    def hear(self, cursor: Cursor) -> None:
        """Note that an event came, and what the socket knows with it."""
        self._heard_at = self._time()
        queued = cursor.queued if self._tells_places else 0
        if queued > self._queued:
            self._queued_at = self._heard_at
        self._queued = queued
        self._is_waiting = bool(cursor.waiting)
        self._stir()

    def renew(self, session: Session) -> None:
        """Note how long the session still lasts."""
        self.expires_at = session.expires_at
        self._ends_at = self._time() + session.remaining_s
        self._warnings = [mark for mark in WARNINGS_S if mark < session.remaining_s - SLACK_S]
        self._stir()

    def ended_at(self) -> datetime:
        """Return when a session that is gone ended: at its time, or now where it was erased."""
        return min(self.expires_at, datetime.now(UTC))

    def doubt(self) -> None:
        """Note that something was missed and could not be read: look again soon."""
        self._is_waiting = True

    def is_near_the_end(self, session: Session) -> bool:
        """Return whether the session really ends as soon as the last WARNING supposed."""
        return session.remaining_s <= self._warned_at_s + SLACK_S

    async def next(self) -> Timer:
        """Wait for the next thing to do."""
        while True:
            at, due = min(self._appointments(), key=lambda one: one[0])
            if at <= self._time():
                self._put_off(due)
                return due
            self._wakes_at = at
            self._stirred.clear()
            try:
                async with asyncio.timeout_at(at):
                    await self._stirred.wait()
            except TimeoutError:
                pass

    def _appointments(self) -> Iterator[tuple[float, Timer]]:
        yield self._signed_at + SIGN_OF_LIFE_S, Timer.SIGN_OF_LIFE
        yield self._ends_at + SLACK_S, Timer.END
        if self._queued > 0:
            first, again = self._queued_at + FIRST_PLACE_S, self._looked_at + PLACE_AGAIN_S
            yield max(first, again), Timer.LOOK
        else:
            silence_s = SILENCE_S if self._is_waiting else IDLE_S
            yield max(self._heard_at, self._looked_at) + silence_s, Timer.LOOK
        if self._warnings:
            yield self._ends_at - self._warnings[0], Timer.WARNING

    def _stir(self) -> None:
        if min(self._appointments(), key=lambda one: one[0])[0] < self._wakes_at:
            self._stirred.set()

    def _put_off(self, due: Timer) -> None:
        match due:
            case Timer.SIGN_OF_LIFE:
                self._signed_at = self._time()
            case Timer.LOOK:
                self._looked_at = self._time()
            case Timer.WARNING:
                self._warned_at_s = self._warnings.pop(0)
            case Timer.END:
                self._ends_at = self._time() + AGAIN_S
