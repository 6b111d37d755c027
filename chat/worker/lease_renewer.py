"""Keeps the leases of all replies a worker process writes, and ends those that must end.

One thread renews every lease a few times a second and reads with it whether a stop was asked
for, so that a reply ends in time also while its model says nothing. Ending closes the model's
connection.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from chat.errors import SessionUnknown, StoreUnavailable
from chat.store import leases
from chat.store.client import Store
from chat.store.command import LeaseLost
from chat.store.leases import LeaseStatus

logger = logging.getLogger(__name__)

TICK_S = 0.14


class CancelReason(Enum):
    """Why a reply is written no further."""

    STOP = auto()
    DEADLINE = auto()
    LOST = auto()
    GONE = auto()
    HANDOVER = auto()


class Cancellable(Protocol):
    """A call to the model that another thread can end."""

    def cancel(self) -> None: ...


class LeaseHandle:
    """One lease while its reply is written."""

    def __init__(self, session: str, lease: str, reply: UUID, deadline: float) -> None:
        self.session = session
        self.lease = lease
        self.reply = reply
        self.deadline = deadline
        self.renewed_at = time.monotonic()
        self.ending: CancelReason | None = None
        self._ended = threading.Event()
        self._calls: list[Cancellable] = []
        self._lock = threading.Lock()

    def left_s(self) -> float:
        """Return the seconds until the reply's deadline."""
        return self.deadline - time.monotonic()

    def end(self, ending: CancelReason) -> None:
        """End the reply, once: the first reason counts."""
        with self._lock:
            if self.ending is None:
                self.ending = ending
            calls = tuple(self._calls)
        self._ended.set()
        for call in calls:
            call.cancel()

    @contextmanager
    def calling(self, call: Cancellable) -> Iterator[None]:
        """Let `end` cancel this call."""
        with self._lock:
            self._calls.append(call)
            ended = self.ending is not None
        if ended:
            call.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the reply was ended meanwhile."""
        return self._ended.wait(seconds)

    def read(self, result: LeaseStatus | Exception) -> None:
        """Note what renewing the lease told."""
        match result:
            case LeaseStatus(stop_requested=stop_requested):
                self.renewed_at = time.monotonic()
                if stop_requested:
                    self.end(CancelReason.STOP)
            case LeaseLost():
                self.end(CancelReason.LOST)
            case SessionUnknown():
                self.end(CancelReason.GONE)


class LeaseRenewer:
    """The thread that keeps all holds of this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._holds: set[LeaseHandle] = set()
        self._lock = threading.Lock()
        self._stirred = threading.Event()
        self._ended_by: CancelReason | None = None
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()

    @contextmanager
    def keeping(self, hold: LeaseHandle) -> Iterator[LeaseHandle]:
        """Keep a lease for as long as the block runs."""
        with self._lock:
            self._holds.add(hold)
            ended_by = self._ended_by
        self._stirred.set()
        if ended_by:
            hold.end(ended_by)
        try:
            yield hold
        finally:
            with self._lock:
                self._holds.discard(hold)

    def end_all(self, ending: CancelReason) -> None:
        """End every reply of this process, and those that would begin afterwards."""
        with self._lock:
            self._ended_by = ending
            holds = tuple(self._holds)
        for hold in holds:
            hold.end(ending)

    def _keep(self) -> None:
        while True:
            self._stirred.wait()
            try:
                self._tick()
            except StoreUnavailable:
                logger.warning("Leases could not be renewed")
            except Exception:
                logger.exception("The keeper stumbled")
            time.sleep(TICK_S)

    def _tick(self) -> None:
        holds = self._current()
        if not holds:
            self._stirred.clear()
        now = time.monotonic()
        for hold in holds:
            if now >= hold.deadline:
                hold.end(CancelReason.DEADLINE)
        stale = [hold for hold in holds if now - hold.renewed_at >= TICK_S]
        if stale:
            commands = [leases.renew(hold.session, hold.lease) for hold in stale]
            results = self._store.run_all(commands)
            for hold, result in zip(stale, results, strict=True):
                hold.read(result)

    def _current(self) -> list[LeaseHandle]:
        with self._lock:
            return list(self._holds)
