"""How many frames one socket may send: far more than a person needs, far less than a flood."""

import asyncio

from chat.errors import RateLimited

LEAST_A_MINUTE = 120.0
AGAIN_S = 1
MAX_REFUSED = 200


class FrameRateLimit:
    """A bucket of frames that fills again with time; counted here, without asking Redis."""

    def __init__(self, messages_per_minute: int) -> None:
        """Make room for the messages a session may send and as many frames of other kinds."""
        self._most = max(LEAST_A_MINUTE, 2.0 * messages_per_minute)
        self._left = self._most
        self._refused = 0
        self._now = asyncio.get_running_loop().time
        self._filled_at = self._now()

    def spend(self) -> None:
        """Count a frame; raises RateLimited where there were too many."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._filled_at) * self._most / 60)
        self._filled_at = now
        if self._left < 1:
            self._refused += 1
            raise RateLimited(AGAIN_S)
        self._left -= 1
        self._refused = 0

    @property
    def is_flooded(self) -> bool:
        """Tell whether the client goes on although it was told to wait."""
        return self._refused > MAX_REFUSED
