"""One row of the report while it runs: the site, the crowd, what was broken when."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.crowd import Crowd
from tests.faults.judge import Tally, judge
from tests.faults.site import Site

IDLE_MACHINE_S = 1.0


class Trial:
    """What a fault's function works with, and what it found.

    `slowness` is how much longer than on an idle machine everybody's first answer took: what must
    not take long may take so much longer.
    """

    def __init__(self, site: Site, sessions: int, times: int) -> None:
        self.site = site
        self.sessions = sessions
        self.times = times
        self.tally = Tally()
        self.recoveries_s: list[float] = []
        self.slowness = 1.0
        self.broken_at = 0.0
        self._mended_at: float | None = None

    @asynccontextmanager
    async def crowd(
        self, address: Callable[[], str] | None = None, sessions: int | None = None
    ) -> AsyncIterator[Crowd]:
        """Let a crowd talk; what it lived through is judged when the block ends."""
        self.site.model.forget_requests()
        async with Crowd(self.site, sessions or self.sessions, address) as crowd:
            self.slowness = max(1.0, crowd.calm_s / IDLE_MACHINE_S)
            yield crowd
            await crowd.settle()
            self.tally += await judge(crowd)

    def broke(self) -> None:
        """Note that the fault begins now."""
        self.broken_at, self._mended_at = time.monotonic(), None

    def mended(self) -> None:
        """Note that the fault is over now: from here on recovery is measured."""
        self._mended_at = time.monotonic()

    async def recovered(self, crowd: Crowd) -> None:
        """Wait until all that was open when it broke is answered, and note how long that took."""
        await crowd.answered(crowd.open_at(self.broken_at))
        self.recoveries_s.append(crowd.recovery_s(self.broken_at, self._mended_at))

    @property
    def recovery_s(self) -> float | None:
        """The longest of the recoveries."""
        return max(self.recoveries_s, default=None)


class CannotRun(Exception):
    """This machine lacks what a row needs; the message says what."""


Order = Literal["early", "any", "alone"]
Run = Callable[[Trial], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A row of the report: what it does how often in the long run, in the environment it needs."""

    number: int
    title: str
    times: int
    run: Run
    environment: dict[str, str] = field(default_factory=dict)
    disk_bytes: int | None = None
    order: Order = "any"


FAULTS: list[Fault] = []


def fault(
    number: int,
    title: str,
    *,
    times: int = 1,
    environment: dict[str, str] | None = None,
    disk_bytes: int | None = None,
    order: Order = "any",
) -> Callable[[Run], Run]:
    """Make a function a row of the report."""

    def register(run: Run) -> Run:
        FAULTS.append(Fault(number, title, times, run, environment or {}, disk_bytes, order))
        return run

    return register
