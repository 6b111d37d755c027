"""The admin's charts: timelines of replies, charts of the last hour, percentiles."""

import random
import statistics
from datetime import UTC, datetime

import pytest

from chat.operator.charts import (
    CHART_HEIGHT,
    CHART_WIDTH,
    MIN_PHASE_WIDTH,
    TIMELINE_WIDTH,
    Series,
    chart,
    format_duration,
    round_up,
    timeline,
)
from chat.schemas import Timings
from chat.store.operation.statistics import BUCKET_RATIO, bucket, durations, failures, percentile_ms


def test_a_timeline_shows_the_phases_of_a_reply() -> None:
    drawn = timeline(Timings(queued_ms=1000, first_token_ms=3000, total_ms=8000), 10_000)
    assert [(phase.name, phase.x, phase.width) for phase in drawn.phases] == [
        ("queued", 0, 100),
        ("first-text", 100, 200),
        ("streaming", 300, 500),
    ]
    assert drawn.text == "queued 1.0 s, first text after 2.0 s, streamed for 5.0 s"


def test_a_reply_without_text_has_no_streaming_phase() -> None:
    drawn = timeline(Timings(queued_ms=10, total_ms=60_010), 60_010)
    assert [phase.name for phase in drawn.phases] == ["queued", "first-text"]
    assert drawn.phases[0].width == MIN_PHASE_WIDTH
    assert drawn.phases[1].width == pytest.approx(TIMELINE_WIDTH, rel=0.01)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (125_000, "2 min 05 s"), (3.5e6, "58 min")],
)
def test_a_duration_is_formatted_with_two_units_at_most(milliseconds: float, text: str) -> None:
    assert format_duration(milliseconds) == text


def test_a_chart_has_gaps_for_missing_measurements() -> None:
    end = datetime(2030, 1, 1, 12, 4, 30, tzinfo=UTC)
    drawn = chart("Latency", "s", [Series("p50", [1.0, 2.0, None, 4.0, None])], end, "")
    assert drawn.top == 5
    assert drawn.top_text == "5 s"
    (line,) = drawn.lines
    assert line.runs == (f"0.0,{CHART_HEIGHT * 0.8} {CHART_WIDTH / 4},{CHART_HEIGHT * 0.6}",)
    assert line.dots == ((CHART_WIDTH * 0.75, CHART_HEIGHT * 0.2),)
    assert drawn.readings[1:3] == ((37.5, "12:01: p50 2 s"), (112.5, "12:02: -"))
    assert drawn.reading_width == CHART_WIDTH / 4


@pytest.mark.parametrize(
    ("number", "top"), [(0, 1), (0.3, 1), (1.1, 2), (2.2, 2.5), (37, 50), (51, 100), (900, 1000)]
)
def test_a_scale_ends_at_a_round_number(number: float, top: float) -> None:
    assert round_up(number) == top


def test_percentiles_from_buckets_are_accurate_to_ten_percent() -> None:
    chance = random.Random(3)
    times_ms = [chance.lognormvariate(6, 1) for _ in range(2_000)]
    counts: dict[int, int] = {}
    for each in times_ms:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    exact = statistics.quantiles(times_ms, n=20)
    for share, expected in ((0.5, exact[9]), (0.95, exact[18])):
        assert percentile_ms(counts, share) == pytest.approx(expected, rel=BUCKET_RATIO - 1)


def test_without_replies_there_is_no_percentile() -> None:
    assert percentile_ms({}, 0.5) is None


def test_a_minute_contains_durations_and_failures() -> None:
    minute = {"total:12": 3, "first:4": 2, "failed:model.timeout": 1, "replied": 3, "at:replied": 9}
    assert durations(minute, "total") == {12: 3}
    assert durations(minute, "first") == {4: 2}
    assert failures(minute) == {"model.timeout": 1}
