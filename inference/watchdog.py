"""Ends calls whose time is over, also those whose server keeps sending a byte now and then."""

import threading
import time

from inference.call import Call


class Watchdog:
    """One thread that wakes when the earliest deadline has passed.

    A socket's timeout starts again at every byte, so it cannot hold a deadline. A call that ends
    in time costs no wake-up: the thread finds out when it wakes for the deadline it had.
    """

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._changed = threading.Condition()
        self._wakes_at_s = float("inf")
        self._thread: threading.Thread | None = None

    def watch(self, call: Call) -> None:
        """Expire `call` when its deadline has passed, unless it is dismissed before."""
        if call.ends_at_s is None:
            return
        with self._changed:
            self._calls.add(call)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="model-deadlines", daemon=True
                )
                self._thread.start()
            elif call.ends_at_s < self._wakes_at_s:
                self._changed.notify()

    def dismiss(self, call: Call) -> None:
        """Watch `call` no longer."""
        with self._changed:
            self._calls.discard(call)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wait_for_next()
                late = [call for call in self._calls if _deadline(call) <= time.monotonic()]
                self._calls.difference_update(late)
            for call in late:
                call.expire()

    def _wait_for_next(self) -> None:
        self._wakes_at_s = min(map(_deadline, self._calls), default=float("inf"))
        wait_s = self._wakes_at_s - time.monotonic()
        if wait_s > 0:
            self._changed.wait(None if wait_s == float("inf") else wait_s)


def _deadline(call: Call) -> float:
    return float("inf") if call.ends_at_s is None else call.ends_at_s
