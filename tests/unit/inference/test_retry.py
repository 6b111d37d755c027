"""Whether and when a model is called again."""

import pytest

from inference.model_errors import (
    ModelBadReply,
    ModelError,
    ModelLoading,
    ModelNoAnswer,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnauthorized,
    ModelUnavailable,
)
from inference.retry import retry_delay_s


@pytest.mark.parametrize("error", [ModelUnavailable(), ModelTimeout(), ModelBadReply()])
def test_temporary_failures_are_retried_twice_with_backoff(error: ModelError) -> None:
    assert [retry_delay_s(error, retries) for retries in range(4)] == [0.5, 2.0, None, None]


@pytest.mark.parametrize("error", [ModelRejected(), ModelUnauthorized(), ModelNoAnswer()])
def test_failures_that_would_repeat_are_never_retried(error: ModelError) -> None:
    assert retry_delay_s(error, 0) is None


@pytest.mark.parametrize(
    ("retry_after_s", "delay_s"),
    [(None, 0.5), (0.0, 0.5), (0.1, 0.5), (7.0, 7.0), (3600.0, 3600.0)],
)
def test_retry_after_is_respected(retry_after_s: float | None, delay_s: float) -> None:
    assert retry_delay_s(ModelOverloaded(retry_after_s=retry_after_s), 0) == delay_s


@pytest.mark.parametrize(
    ("estimated_s", "delay_s"), [(20.0, 20.0), (0.0, 0.5), (900.0, 30.0), (None, 5.0)]
)
def test_loading_waits_for_the_estimate_within_bounds(
    estimated_s: float | None, delay_s: float
) -> None:
    assert retry_delay_s(ModelLoading(estimated_time_s=estimated_s), 0) == delay_s


def test_loading_without_an_estimate_uses_retry_after() -> None:
    assert retry_delay_s(ModelLoading(retry_after_s=9.0), 0) == 9.0


def test_loading_is_always_retried() -> None:
    assert retry_delay_s(ModelLoading(estimated_time_s=3.0), 99) == 3.0


def test_jitter_lengthens_the_backoff_by_half_at_most() -> None:
    assert retry_delay_s(ModelUnavailable(), 0, jitter=1.0) == 0.75
    assert retry_delay_s(ModelUnavailable(), 1, jitter=0.5) == 2.5
