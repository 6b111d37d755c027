"""Log lines about something that fails again and again: one at the start and one at the end."""

import logging
import threading
import time


class Outage:
    """Whether something works, as far as this process knows. Thread-safe.

    It ends with the first success after `quiet_s` without a failure. A part of something that works
    otherwise may fail: then successes and failures alternate.
    """

    quiet_s = 0.0

    def __init__(self, logger: logging.Logger, starts: str, ends: str) -> None:
        """`starts` and `ends` are the sentences to log; `starts` is followed by the reason."""
        self._logger, self._starts, self._ends = logger, starts, ends
        self._since: float | None = None
        self._last_failure = 0.0
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether the last use failed."""
        return self._since is not None

    def failed(self, error: BaseException) -> None:
        """Note that a use has failed."""
        with self._lock:
            self._last_failure = time.monotonic()
            if self._since is None:
                self._since = self._last_failure
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
                self._logger.warning("%s: %s", self._starts, reason)

    def succeeded(self) -> None:
        """Note that a use has succeeded."""
        if self._since is None or time.monotonic() - self._last_failure < self.quiet_s:
            return
        with self._lock:
            if self._since is not None:
                lasted_s = time.monotonic() - self._since
                self._since = None
                self._logger.warning("%s, after %.0f s", self._ends, lasted_s)
