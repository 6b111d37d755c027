"""Backoff between attempts at a reply. No I/O: the caller waits and enforces the deadline."""

from typing import Final

from inference.model_errors import ModelError, ModelLoading, ModelNoAnswer

MAX_RETRIES: Final = 2
FIRST_BACKOFF_S: Final = 0.5
BACKOFF_FACTOR: Final = 4
LOADING_DEFAULT_S: Final = 5.0
LOADING_BOUNDS_S: Final = (0.5, 30.0)


def retry_delay_s(error: ModelError, retries: int, *, jitter: float = 0.0) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    `retries` is the number of retries so far, without those after `model.loading`: a loading model
    is not a failed attempt. `jitter` (0 to 1, random) lengthens a backoff by up to a half, so that
    threads that failed together do not retry together.
    """
    # A model that only reasoned used its whole length for it: the next attempt takes as long.
    if error.permanent or isinstance(error, ModelNoAnswer):
        return None
    if isinstance(error, ModelLoading):
        return _loading_delay_s(error)
    if retries >= MAX_RETRIES:
        return None
    backoff_s = FIRST_BACKOFF_S * float(BACKOFF_FACTOR**retries) * (1 + jitter / 2)
    return max(backoff_s, error.retry_after_s or 0.0)


def _loading_delay_s(error: ModelLoading) -> float:
    """Return the server's estimate within bounds, since it may be far too low or too high."""
    given_s = error.estimated_time_s if error.estimated_time_s is not None else error.retry_after_s
    low, high = LOADING_BOUNDS_S
    return min(max(LOADING_DEFAULT_S if given_s is None else given_s, low), high)
