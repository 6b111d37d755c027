"""How many replies one worker process writes at a time.

The thread pool has a few threads more, so the sweep and the worker's health probe find a thread
even while silent models occupy all slots. Celery's own `worker_disable_prefetch` cannot do that: a
full worker then fetches nothing at all, not even those tasks.
"""

import threading
from collections.abc import Callable, Iterable

MAX_WAITING = 10_000


class Slots:
    """Slots for replies, and the sessions that found none free. Thread-safe."""

    def __init__(self, size: int, enqueue: Callable[[str], object]) -> None:
        """`enqueue` is called with a session that waits when a slot becomes free."""
        self._free = size
        self._enqueue = enqueue
        self._waiting: dict[str, None] = {}
        self._is_stopped = False
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """The number of free slots."""
        return self._free

    def take(self, session: str) -> bool:
        """Take a slot for a session's reply; if none is free, remember the session.

        If it is forgotten, because too many wait or the process dies, the sweep finds it.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) < MAX_WAITING:
                self._waiting[session] = None
            return False

    def forget(self, session: str) -> None:
        """Forget a session, because another worker has a slot for it."""
        with self._lock:
            self._waiting.pop(session, None)

    def remember(self, sessions: Iterable[str]) -> None:
        """Remember sessions that were claimed and wait for a slot here."""
        with self._lock:
            self._waiting |= dict.fromkeys(sessions)

    def next_waiting(self) -> str | None:
        """Return the session that has waited longest, for the caller's slot; None without any."""
        with self._lock:
            session = None if self._is_stopped else next(iter(self._waiting), None)
            if session:
                del self._waiting[session]
            return session

    def stop(self) -> None:
        """Let no slot be used for another session: this process shuts down."""
        self._is_stopped = True

    @property
    def is_stopped(self) -> bool:
        """Whether this process shuts down."""
        return self._is_stopped

    def release(self) -> None:
        """Free a slot and enqueue the session that has waited longest."""
        with self._lock:
            self._free += 1
            session = next(iter(self._waiting), None)
            if session:
                del self._waiting[session]
        if session:
            self._enqueue(session)
