"""How many frames one socket may send: far more than a person needs, far fewer than a flood."""

import asyncio

from chat.errors import RateLimited

MIN_FRAMES_PER_MINUTE = 120.0
RETRY_AFTER_S = 1
MAX_REFUSED = 200


class FrameRateLimit:
    """A token bucket of frames, kept in this process without asking Redis."""

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
