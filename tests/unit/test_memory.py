"""When Redis is full, and from when on new sessions are refused."""

from datetime import UTC, datetime

import pytest

from chat.store.operation.memory import Memory, format_bytes, full_in_s
from chat.store.operation.statistics import Minutes

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def minutes(*samples: int | None) -> Minutes:
    figures = ({} if sample is None else {"memory": sample} for sample in samples)
    return Minutes(NOW, tuple(figures))


@pytest.mark.parametrize(
    ("samples", "expected_s"),
    [
        ((100, 200, 300), 7 * 60),
        ((100, None, 300), 7 * 60),
        ((900, *[100] * 10, 200), 80 * 60),  # an older fall no longer counts
        ((300, 300), None),
        ((300, 200), None),
        ((300,), None),
        ((None, None), None),
        ((900, 1100), 0),
    ],
)
def test_the_forecast_extends_the_growth_of_the_last_ten_minutes(
    samples: tuple[int | None, ...], expected_s: float | None
) -> None:
    found = full_in_s(minutes(*samples), 1000)
    assert found == (None if expected_s is None else pytest.approx(expected_s))


@pytest.mark.parametrize(("used", "refuses"), [(84, False), (85, False), (86, True), (120, True)])
def test_new_sessions_are_refused_above_85_percent(used: int, refuses: bool) -> None:
    assert Memory(used, 100).refuses_sessions is refuses


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "512 B"), (2048, "2 KB"), (300 * 1024**2, "300 MB"), (3 * 1024**3 // 2, "1.5 GB")],
)
def test_bytes_are_shown_in_the_units_of_redis(count: int, text: str) -> None:
    assert format_bytes(count) == text
