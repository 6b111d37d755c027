"""One running call, which another thread may end at any moment."""

import threading
import time
from typing import Protocol

from inference.model_errors import GenerationCancelled, ModelTimeout


class Interruptible(Protocol):
    """Something that a thread is waiting on, and that another thread can make it return from."""

    def interrupt(self) -> None:
        """Wake the waiting thread. Called at most once, by another thread."""

    def close(self) -> None:
        """Let go of it; nobody waits on it any more."""


class Call:
    """The life of one call: what it waits on now, and why it had to end.

    The reading thread attaches what it is about to wait on and asks `check` afterwards. Any
    thread may `cancel` or `expire` it: attached or not, before, after or in between.
    """

    def __init__(self, deadline_s: float | None = None, request_id: str | None = None) -> None:
        self.request_id = request_id
        self.ends_at_s = None if deadline_s is None else time.monotonic() + deadline_s
        self._lock = threading.Lock()
        self._end: type[GenerationCancelled | ModelTimeout] | None = None
        self._waiting_on: Interruptible | None = None

    def attach(self, waiting_on: Interruptible) -> None:
        """Name what this call waits on from now on. Raises what ended the call, if it has ended."""
        with self._lock:
            previous, self._waiting_on = self._waiting_on, waiting_on
        if previous is not None:
            previous.close()
        self.check()

    def detach(self) -> None:
        """Wait on nothing any more: from here on ending the call touches no connection."""
        with self._lock:
            previous, self._waiting_on = self._waiting_on, None
        if previous is not None:
            previous.close()

    def cancel(self) -> None:
        """End the call because somebody wishes so."""
        self._finish(GenerationCancelled)

    def expire(self) -> None:
        """End the call because its time is over."""
        self._finish(ModelTimeout)

    def check(self) -> None:
        """Raise `GenerationCancelled` or `ModelTimeout` if the call was ended so."""
        if self._end is None and self.ends_at_s is not None and time.monotonic() > self.ends_at_s:
            self._end = ModelTimeout
        if self._end is not None:
            raise self._end

    def within(self, most_s: float) -> float:
        """Return how long to wait at most, `most_s` or what is left of the deadline."""
        self.check()
        if self.ends_at_s is None:
            return most_s
        return max(0.001, min(most_s, self.ends_at_s - time.monotonic()))

    def _finish(self, end: type[GenerationCancelled | ModelTimeout]) -> None:
        with self._lock:
            if self._end is None:
                self._end = end
                if self._waiting_on is not None:
                    self._waiting_on.interrupt()
