"""The clock of one socket: when to look at the session although no event came."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from chat.schemas import Session

SIGN_OF_LIFE_S = 30.0
SILENCE_S = 2.0
WARNINGS_S = (300.0, 60.0)
AFTER_THE_END_S = 0.05
AGAIN_S = 1.0


class Due(Enum):
    """What the clock asks for."""

    SIGN_OF_LIFE = auto()
    SILENCE = auto()
    WARNING = auto()
    END = auto()


class Watch:
    """Times by the loop's monotonic clock; what is left of a session is by Redis'."""

    def __init__(self, session: Session) -> None:
        self._time = asyncio.get_running_loop().time
        self._stirred = asyncio.Event()
        self._wakes_at = 0.0
        self._heard_at = self._signed_at = self._time()
        self.renew(session)

    def hear(self) -> None:
        """Note that an event came."""
        self._heard_at = self._time()
        if self._wakes_at > self._heard_at + SILENCE_S:
            self._stirred.set()

    def renew(self, session: Session) -> None:
        """Note how long the session still lasts."""
        self.expires_at = session.expires_at
        self._ends_at = self._time() + session.left_s
        self._warnings = [warning_s for warning_s in WARNINGS_S if warning_s < session.left_s]
        self._stirred.set()

    async def next(self, waiting: Callable[[], bool]) -> Due:
        """Wait for the next thing to do; silence counts only while `waiting` for a reply."""
        while True:
            self._wakes_at, due = min(self._appointments(waiting()), key=lambda one: one[0])
            self._stirred.clear()
            try:
                async with asyncio.timeout_at(self._wakes_at):
                    await self._stirred.wait()
            except TimeoutError:
                self._put_off(due)
                return due

    def _appointments(self, waiting: bool) -> list[tuple[float, Due]]:
        appointments = [
            (self._signed_at + SIGN_OF_LIFE_S, Due.SIGN_OF_LIFE),
            (self._ends_at + AFTER_THE_END_S, Due.END),
        ]
        if waiting:
            appointments.append((self._heard_at + SILENCE_S, Due.SILENCE))
        if self._warnings:
            appointments.append((self._ends_at - self._warnings[0], Due.WARNING))
        return appointments

    def _put_off(self, due: Due) -> None:
        match due:
            case Due.SIGN_OF_LIFE:
                self._signed_at = self._time()
            case Due.SILENCE:
                self._heard_at = self._time()
            case Due.WARNING:
                self._warnings.pop(0)
            case Due.END:
                self._ends_at = self._time() + AGAIN_S
