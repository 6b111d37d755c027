"""Renews the leases of all replies that a worker process writes, and cancels those that must end.

One thread renews every lease several times a second. Each renewal also reports whether a stop was
requested, so a reply ends in time even while its model is silent. Cancelling closes the model's
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

INTERVAL_S = 0.14


class CancelReason(Enum):
    """Why a reply is abandoned or ends early."""

    STOP = auto()
    DEADLINE = auto()
    LEASE_LOST = auto()
    SESSION_GONE = auto()
    SHUTDOWN = auto()


class Cancellable(Protocol):
    """A call to the model that another thread can cancel."""

    def cancel(self) -> None: ...


class LeaseHandle:
    """A held lease while its reply is written. Thread-safe.

    `deadline` is a time of the monotonic clock.
    """

    def __init__(self, session: str, lease: str, reply: UUID, deadline: float) -> None:
        self.session = session
        self.lease = lease
        self.reply = reply
        self.deadline = deadline
        self.renewed_at = time.monotonic()
        self.cancel_reason: CancelReason | None = None
        self._cancelled = threading.Event()
        self._calls: list[Cancellable] = []
        self._lock = threading.Lock()

    def remaining_s(self) -> float:
        """Return the seconds until the reply's deadline."""
        return self.deadline - time.monotonic()

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the reply. The first reason counts."""
        with self._lock:
            if self.cancel_reason is None:
                self.cancel_reason = reason
            calls = tuple(self._calls)
        self._cancelled.set()
        for call in calls:
            call.cancel()

    @contextmanager
    def cancels(self, call: Cancellable) -> Iterator[None]:
        """Let `cancel` cancel this call while the block runs."""
        with self._lock:
            self._calls.append(call)
            is_cancelled = self.cancel_reason is not None
        if is_cancelled:
            call.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)

    def wait(self, seconds: float) -> bool:
        """Wait; return whether the reply was cancelled meanwhile."""
        return self._cancelled.wait(seconds)

    def update(self, renewal: LeaseStatus | Exception) -> None:
        """Apply the result of a renewal."""
        match renewal:
            case LeaseStatus(stop_requested=stop_requested):
                self.renewed_at = time.monotonic()
                if stop_requested:
                    self.cancel(CancelReason.STOP)
            case LeaseLost():
                self.cancel(CancelReason.LEASE_LOST)
            case SessionUnknown():
                self.cancel(CancelReason.SESSION_GONE)


class LeaseRenewer:
    """The thread that renews all leases of this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._handles: set[LeaseHandle] = set()
        self._lock = threading.Lock()
        self._has_handles = threading.Event()
        self._is_shutting_down = False
        threading.Thread(target=self._run, name="lease-renewer", daemon=True).start()

    @contextmanager
    def renewing(self, handle: LeaseHandle) -> Iterator[LeaseHandle]:
        """Renew a lease while the block runs."""
        with self._lock:
            self._handles.add(handle)
            is_shutting_down = self._is_shutting_down
        self._has_handles.set()
        if is_shutting_down:
            handle.cancel(CancelReason.SHUTDOWN)
        try:
            yield handle
        finally:
            with self._lock:
                self._handles.discard(handle)

    def release_all(self) -> None:
        """Cancel every reply of this process, and every one that starts later."""
        with self._lock:
            self._is_shutting_down = True
            handles = tuple(self._handles)
        for handle in handles:
            handle.cancel(CancelReason.SHUTDOWN)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._has_handles.wait()
            try:
                self._renew_all()
            except StoreUnavailable:
                logger.debug("Lease renewal failed: Redis does not respond")
            except Exception:
                logger.exception("Lease renewal failed")
            # time.sleep fails where libfaketime shifts the clock.
            pause.wait(INTERVAL_S)

    def _renew_all(self) -> None:
        handles = self._current()
        now = time.monotonic()
        for handle in handles:
            if now >= handle.deadline:
                handle.cancel(CancelReason.DEADLINE)
        # Storing text renews a lease as well.
        due = [handle for handle in handles if now - handle.renewed_at >= INTERVAL_S]
        if due:
            commands = [leases.renew(handle.session, handle.lease) for handle in due]
            results = self._store.run_all(commands)
            for handle, result in zip(due, results, strict=True):
                handle.update(result)

    def _current(self) -> list[LeaseHandle]:
        with self._lock:
            # Under the lock: a handle that is added right after must not find its event cleared.
            if not self._handles:
                self._has_handles.clear()
            return list(self._handles)
