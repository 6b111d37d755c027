"""The sessions that wait in this worker for a model that has reached its limit.

They wait without a lease and without a slot, so replies of other models go on. If this process
dies, the sweep finds them.
"""

import threading
from collections import defaultdict
from collections.abc import Callable

MAX_WAITING = 10_000


class ModelQueue:
    """Sessions by the model that they wait for. Thread-safe."""

    def __init__(self, enqueue: Callable[[str], object]) -> None:
        """`enqueue` is called with a session whose turn it may be."""
        self._enqueue = enqueue
        self._waiting: dict[str, dict[str, None]] = defaultdict(dict)
        self._lock = threading.Lock()

    def wait(self, model: str, session: str) -> None:
        """Remember a session that waits for a model."""
        with self._lock:
            if len(self._waiting[model]) < MAX_WAITING:
                self._waiting[model][session] = None

    def wake(self, full_models: list[str]) -> None:
        """Enqueue, for each model that is not full, the session that has waited longest."""
        with self._lock:
            free = [model for model, sessions in self._waiting.items() if sessions]
            woken = [next(iter(self._waiting[model])) for model in free if model not in full_models]
            for model in free:
                for session in woken:
                    self._waiting[model].pop(session, None)
        for session in woken:
            self._enqueue(session)
