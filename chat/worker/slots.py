"""How many replies one worker process writes at a time.

A pool has some threads more than that. So the sweep and the proof that this worker does what it is
sent find a thread also while a model that says nothing holds all replies.
"""

import threading
from collections.abc import Callable

MAX_TURNED_AWAY = 10_000


class Slots:
    """Places for replies, and the sessions that found none. Threads may share it."""

    def __init__(self, most: int, hand_on: Callable[[str], object]) -> None:
        """`hand_on` is called with a session that was turned away when a place is free."""
        self._free = most
        self._hand_on = hand_on
        self._turned_away: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many more replies find a place."""
        return self._free

    def take(self, session: str) -> bool:
        """Take a place for a session's reply; where none is free, remember the session.

        One that is forgotten, because there are too many or the process dies, the sweep finds.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._turned_away) < MAX_TURNED_AWAY:
                self._turned_away[session] = None
            return False

    def forget(self, session: str) -> None:
        """Remember a session no longer: another worker has a place for it."""
        with self._lock:
            self._turned_away.pop(session, None)

    def give_back(self) -> None:
        """Free a place, and hand on the session that waits longest for one."""
        with self._lock:
            self._free += 1
            session = next(iter(self._turned_away), None)
            if session:
                del self._turned_away[session]
        if session:
            self._hand_on(session)
