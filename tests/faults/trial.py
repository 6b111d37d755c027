"""One row of the report while it runs: its site and clients, and the times of its faults."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.client_group import ClientGroup
from tests.faults.site import Site
from tests.faults.verification import Counts, verify

IDLE_MACHINE_S = 1.0


class Trial:
    """What a fault's function uses, and its results.

    `slowness` is the duration of the first exchange relative to an idle machine, times `patience`.
    Time limits are multiplied by it.
    """

    def __init__(self, site: Site, sessions: int, times: int, patience: float = 1.0) -> None:
        self.site = site
        self.sessions = sessions
        self.times = times
        self.counts = Counts()
        self.recoveries_s: list[float] = []
        self.note = ""
        self.slowness = self._patience = patience
        self.fault_started_at = 0.0
        self._fault_ended_at: float | None = None

    @asynccontextmanager
    async def group(
        self, address: Callable[[], str] | None = None, sessions: int | None = None
    ) -> AsyncIterator[ClientGroup]:
        """Start a group of clients; verify what they experienced when the block ends."""
        self.site.model.clear_requests()
        async with ClientGroup(self.site, sessions or self.sessions, address) as group:
            self.slowness = self._patience * max(1.0, group.first_exchange_s / IDLE_MACHINE_S)
            yield group
            await group.settle()
            self.counts += await verify(group)

    def fault_started(self) -> None:
        """Note that the fault begins now."""
        self.fault_started_at, self._fault_ended_at = time.monotonic(), None

    def fault_ended(self) -> None:
        """Note that the fault ends now; recovery is measured from here."""
        self._fault_ended_at = time.monotonic()

    async def recovered(self, group: ClientGroup) -> None:
        """Wait until all messages open at the start of the fault are answered; record the time."""
        await group.answered(group.open_at(self.fault_started_at))
        self.recoveries_s.append(group.recovery_s(self.fault_started_at, self._fault_ended_at))

    @property
    def recovery_s(self) -> float | None:
        """The longest of the recoveries."""
        return max(self.recoveries_s, default=None)


class CannotRunHere(Exception):
    """This machine lacks something that the row needs; the message names it."""


Order = Literal["early", "any", "alone"]
Run = Callable[[Trial], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A row of the report: its function, how often it breaks something, and its environment."""

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
