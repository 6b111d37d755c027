"""Redis' memory: how much is used, when it is full, and from when on new sessions are refused.

A full Redis refuses messages, too. So new sessions are refused earlier, while there is still room
for the messages of those that exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chat.store.operation.statistics import Minutes

# Of `maxmemory`. The script of `sessions.create` compares it.
REFUSE_SESSIONS_PERCENT = 85
FORECAST_MINUTES = 10


@dataclass(frozen=True)
class Memory:
    """Used bytes, and Redis' `maxmemory`."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """The used share of the limit, which exceeds 1 if Redis is overfull."""
        return self.used / self.limit

    @property
    def refuses_sessions(self) -> bool:
        """Whether no new session is created."""
        return self.share * 100 > REFUSE_SESSIONS_PERCENT

    def __str__(self) -> str:
        return f"{self.share:.0%} of {format_bytes(self.limit)}"


def parse_memory(fields: Any) -> Memory | None:
    """Parse `used_memory` and `max_memory`; None without a limit, or if Redis does not show it."""
    used, limit = fields["used_memory"], fields["max_memory"]
    return Memory(int(used), int(limit)) if used and limit else None


def full_in_s(minutes: Minutes, limit: int) -> float | None:
    """Return the seconds until Redis is full if its memory grows as in the last minutes.

    None if it does not grow, or if there are fewer than two samples.
    """
    samples = [
        (number, figures["memory"])
        for number, figures in enumerate(minutes.figures[-FORECAST_MINUTES - 1 :])
        if "memory" in figures
    ]
    return _time_until(samples, limit)


def _time_until(samples: Sequence[tuple[int, int]], limit: int) -> float | None:
    if len(samples) < 2:
        return None
    (first_minute, first), (last_minute, last) = samples[0], samples[-1]
    growth_per_s = (last - first) / (last_minute - first_minute) / 60
    return max(limit - last, 0) / growth_per_s if growth_per_s > 0 else None


def format_bytes(count: float) -> str:
    """Format a number of bytes in Redis' units, of which a kilobyte has 1,024."""
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"
