"""What the operator's pages draw: bars of replies, charts of the last hour, percentiles."""

import random
import statistics

import pytest

from chat.operator.charts import HEIGHT, WIDTH, Series, chart, round_up
from chat.operator.timeline import LEAST, bar, duration
from chat.operator.timeline import WIDTH as BAR_WIDTH
from chat.schemas import Timings
from chat.store.statistics import BUCKET_RATIO, bucket, durations, failures, percentile_ms


def test_a_bar_shows_where_the_time_went() -> None:
    drawn = bar(Timings(queued_ms=1000, first_token_ms=3000, total_ms=8000), 10_000)
    assert [(part.name, part.x, part.width) for part in drawn.parts] == [
        ("queued", 0, 100),
        ("thinking", 100, 200),
        ("writing", 300, 500),
    ]
    assert drawn.text == "queued 1.0 s, first text after 2.0 s, written in 5.0 s"


def test_a_reply_without_text_has_no_writing() -> None:
    drawn = bar(Timings(queued_ms=10, total_ms=60_010), 60_010)
    assert [part.name for part in drawn.parts] == ["queued", "thinking"]
    assert drawn.parts[0].width == LEAST
    assert drawn.parts[1].width == pytest.approx(BAR_WIDTH, rel=0.01)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (999, "999 ms"), (1_500, "1.5 s"), (125_000, "2 min 05 s"), (3.5e6, "58 min")],
)
def test_a_length_of_time_is_written_for_people(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


def test_a_chart_leaves_gaps_where_nothing_was_measured() -> None:
    drawn = chart("Latency", "s", [Series("p50", [1.0, 2.0, None, 4.0, None])], "")
    assert drawn.top == 5
    assert drawn.top_text == "5 s"
    (line,) = drawn.lines
    assert line.runs == (f"0.0,{HEIGHT * 0.8} {WIDTH / 4},{HEIGHT * 0.6}",)
    assert line.dots == ((WIDTH * 0.75, HEIGHT * 0.2),)


@pytest.mark.parametrize(
    ("number", "top"), [(0, 1), (0.3, 1), (1.1, 2), (2.2, 2.5), (37, 50), (51, 100), (900, 1000)]
)
def test_a_scale_ends_at_a_round_number(number: float, top: float) -> None:
    assert round_up(number) == top


def test_percentiles_from_buckets_are_right_to_a_tenth() -> None:
    chance = random.Random(3)
    times_ms = [chance.lognormvariate(6, 1) for _ in range(2_000)]
    counts: dict[int, int] = {}
    for each in times_ms:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    exact = statistics.quantiles(times_ms, n=20)
    for share, wanted in ((0.5, exact[9]), (0.95, exact[18])):
        assert percentile_ms(counts, share) == pytest.approx(wanted, rel=BUCKET_RATIO - 1)


def test_no_reply_has_no_percentile() -> None:
    assert percentile_ms({}, 0.5) is None


def test_a_minute_tells_its_durations_and_failures() -> None:
    minute = {"total:12": 3, "first:4": 2, "failed:model.timeout": 1, "replied": 3, "at:replied": 9}
    assert durations(minute, "total") == {12: 3}
    assert durations(minute, "first") == {4: 2}
    assert failures(minute) == {"model.timeout": 1}
