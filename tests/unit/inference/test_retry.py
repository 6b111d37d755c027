"""When a model is asked again, and how long that waits."""

import pytest

from inference.model_errors import (
    ModelBadReply,
    ModelError,
    ModelLoading,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnauthorized,
    ModelUnavailable,
)
from inference.retry import retry_delay_s


@pytest.mark.parametrize("error", [ModelUnavailable(), ModelTimeout(), ModelBadReply()])
def test_passing_failures_are_retried_twice_with_a_growing_wait(error: ModelError) -> None:
    assert [retry_delay_s(error, retries) for retries in range(4)] == [0.5, 2.0, None, None]


@pytest.mark.parametrize("error", [ModelRejected(), ModelUnauthorized()])
def test_permanent_failures_are_never_retried(error: ModelError) -> None:
    assert retry_delay_s(error, 0) is None


@pytest.mark.parametrize(
    ("retry_after_s", "delay_s"),
    [(None, 0.5), (0.0, 0.5), (0.1, 0.5), (7.0, 7.0), (3600.0, 3600.0)],
)
def test_the_servers_own_wish_is_honoured(retry_after_s: float | None, delay_s: float) -> None:
    assert retry_delay_s(ModelOverloaded(retry_after_s=retry_after_s), 0) == delay_s


@pytest.mark.parametrize(
    ("estimated_s", "delay_s"), [(20.0, 20.0), (0.0, 0.5), (900.0, 30.0), (None, 5.0)]
)
def test_loading_waits_its_estimate_within_bounds(
    estimated_s: float | None, delay_s: float
) -> None:
    assert retry_delay_s(ModelLoading(estimated_time_s=estimated_s), 0) == delay_s


def test_loading_takes_retry_after_where_there_is_no_estimate() -> None:
    assert retry_delay_s(ModelLoading(retry_after_s=9.0), 0) == 9.0


def test_loading_is_waited_for_however_many_retries_there_were() -> None:
    assert retry_delay_s(ModelLoading(estimated_time_s=3.0), 99) == 3.0


def test_spread_lengthens_a_backoff_by_half_at_most() -> None:
    assert retry_delay_s(ModelUnavailable(), 0, jitter=1.0) == 0.75
    assert retry_delay_s(ModelUnavailable(), 1, jitter=0.5) == 2.5
