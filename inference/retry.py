"""When to ask a model again. Pure: the caller waits, and bounds it all by the reply's deadline."""

from typing import Final

from inference.model_errors import ModelError, ModelLoading

MAX_RETRIES: Final = 2
FIRST_BACKOFF_S: Final = 0.5
BACKOFF_FACTOR: Final = 4
LOADING_DEFAULT_S: Final = 5.0
LOADING_BOUNDS_S: Final = (0.5, 30.0)


def retry_delay_s(error: ModelError, retries: int, *, spread: float = 0.0) -> float | None:
    """Tell how many seconds to wait before the next attempt, or None to give up.

    `retries` counts the retries made so far, without those after `model.loading`: waiting for a
    model to load is no failed attempt. `spread` (0 to 1, random at the caller's) lengthens a
    backoff by up to a half, so that many threads refused together do not come back together.
    """
    if error.permanent:
        return None
    if isinstance(error, ModelLoading):
        return _loading_delay_s(error)
    if retries >= MAX_RETRIES:
        return None
    backoff_s = FIRST_BACKOFF_S * float(BACKOFF_FACTOR**retries) * (1 + spread / 2)
    return max(backoff_s, error.retry_after_s or 0.0)


def _loading_delay_s(error: ModelLoading) -> float:
    """Estimates are wrong in both directions: neither hammer the server nor sleep through it."""
    told_s = error.estimated_time_s if error.estimated_time_s is not None else error.retry_after_s
    low, high = LOADING_BOUNDS_S
    return min(max(LOADING_DEFAULT_S if told_s is None else told_s, low), high)
