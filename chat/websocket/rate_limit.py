"""Limits that a web process keeps itself: they protect it, and cost Redis nothing."""

import asyncio
import time
from collections import Counter

from chat.errors import RateLimited

MIN_FRAMES_PER_MINUTE = 120.0
RETRY_AFTER_S = 1
MAX_REFUSED = 200
WINDOW_S = 60
MAX_KEYS = 100_000


class FrameRateLimit:
    """A token bucket of frames: far more than a person needs, far fewer than a flood."""

    def __init__(self, messages_per_minute: int) -> None:
        """Allow the messages that a session may send and as many other frames."""
        self._capacity = max(MIN_FRAMES_PER_MINUTE, 2.0 * messages_per_minute)
        self._tokens = self._capacity
        self._refused = 0
        self._now = asyncio.get_running_loop().time
        self._filled_at = self._now()

    def spend(self) -> None:
        """Count a frame; raises RateLimited if there were too many."""
        now = self._now()
        refill = (now - self._filled_at) * self._capacity / 60
        self._tokens = min(self._capacity, self._tokens + refill)
        self._filled_at = now
        if self._tokens < 1:
            self._refused += 1
            raise RateLimited(RETRY_AFTER_S)
        self._tokens -= 1
        self._refused = max(0, self._refused - 1)

    @property
    def is_flooded(self) -> bool:
        """Whether the client keeps sending far more frames than it may."""
        return self._refused > MAX_REFUSED


class WindowLimit:
    """How often each key may occur in this process within a minute.

    The counts of all keys start anew with each minute, so memory is bounded: beyond MAX_KEYS, new
    keys are not counted.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._window = 0.0
        self._counts: Counter[str] = Counter()

    def check(self, key: str) -> None:
        """Raise RateLimited if the key has occurred too often."""
        remaining_s = self._update_window()
        if self._counts[key] >= self._per_minute:
            raise RateLimited(remaining_s)

    def count(self, key: str) -> None:
        """Count one occurrence."""
        self._update_window()
        if key in self._counts or len(self._counts) < MAX_KEYS:
            self._counts[key] += 1

    def _update_window(self) -> int:
        """Start a new window if its time has come; return how many seconds this one lasts."""
        window, elapsed_s = divmod(time.monotonic(), WINDOW_S)
        if window != self._window:
            self._window = window
            self._counts.clear()
        return WINDOW_S - int(elapsed_s)


class ReadLimits:
    """Limits of what costs a load of a session's messages, and of tokens that do not exist."""

    def __init__(self, per_session: int, per_address: int, unknown_per_address: int) -> None:
        self._sessions = WindowLimit(per_session)
        self._addresses = WindowLimit(per_address)
        self._unknown = WindowLimit(unknown_per_address)

    def spend(self, session: str, network: str) -> None:
        """Count a load of a session; raises RateLimited if there were too many.

        An address that used too many unknown tokens is refused as well.
        """
        limits = ((self._sessions, session), (self._addresses, network))
        self.check_unknown(network)
        for limit, key in limits:
            limit.check(key)
        for limit, key in limits:
            limit.count(key)

    def spend_shared(self, network: str) -> None:
        """Count a load of a shared conversation, which many addresses may load at the same time."""
        self.check_unknown(network)
        self._addresses.check(network)
        self._addresses.count(network)

    def check_unknown(self, network: str) -> None:
        """Raise RateLimited if the address used too many tokens that do not exist."""
        self._unknown.check(network)

    def count_unknown(self, network: str) -> None:
        """Count a token that does not exist."""
        self._unknown.count(network)
