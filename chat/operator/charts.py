"""Geometry of what templates draw as SVG: charts of numbers over time, and timelines of replies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from chat.schemas import Timings

CHART_WIDTH = 300
CHART_HEIGHT = 80
SCALE_ENDS = (1, 2, 2.5, 5)
TIMELINE_WIDTH = 1000
MIN_PHASE_WIDTH = 3.0


@dataclass(frozen=True)
class Series:
    """Numbers at equal intervals, oldest first; None for no measurement."""

    name: str
    numbers: Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """A drawn series: its runs of points for an SVG polyline, and points without neighbours."""

    name: str
    runs: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """A small chart; `top` is the upper end of its scale, `tone` empty or "failed".

    `readings` are what one reads at each point in time: the left end of its part of the chart, and
    the numbers in words.
    """

    title: str
    unit: str
    top: float
    lines: tuple[Line, ...]
    readings: tuple[tuple[float, str], ...]
    summary: str
    tone: str = ""

    @property
    def reading_width(self) -> float:
        """The width of each reading's part."""
        return round(CHART_WIDTH / max(len(self.readings) - 1, 1), 1)

    @property
    def top_text(self) -> str:
        """The upper end of the scale with its unit."""
        return f"{self.top:,g} {self.unit}".strip()


def chart(
    title: str, unit: str, series: Sequence[Series], end: datetime, summary: str, tone: str = ""
) -> Chart:
    """Draw series of minutes on one scale; `end` is in the last one."""
    highest = max((n for each in series for n in each.numbers if n is not None), default=0)
    top = round_up(highest)
    lines = tuple(_line(each, top) for each in series)
    return Chart(title, unit, top, lines, tuple(_readings(series, end, unit)), summary, tone)


def _readings(series: Sequence[Series], end: datetime, unit: str) -> Iterator[tuple[float, str]]:
    count = len(series[0].numbers)
    step = CHART_WIDTH / max(count - 1, 1)
    last = timezone.localtime(end)
    for index in range(count):
        found = [(each.name, each.numbers[index]) for each in series]
        measured = [
            f"{name} {number:,.3g} {unit}".strip() for name, number in found if number is not None
        ]
        minute = last - timedelta(minutes=count - 1 - index)
        yield round((index - 0.5) * step, 1), f"{minute:%H:%M}: {', '.join(measured) or '-'}"


def round_up(number: float) -> float:
    """Return the next round number, at which a scale can end."""
    power = 1.0
    while number > power * 10:
        power *= 10
    return next((end * power for end in SCALE_ENDS if end * power >= number), power * 10)


def _line(series: Series, top: float) -> Line:
    runs: list[list[tuple[float, float]]] = [[]]
    step = CHART_WIDTH / max(len(series.numbers) - 1, 1)
    for index, number in enumerate(series.numbers):
        if number is not None:
            runs[-1].append((round(index * step, 1), round(CHART_HEIGHT * (1 - number / top), 1)))
        elif runs[-1]:
            runs.append([])
    return Line(
        series.name,
        tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1),
        tuple(run[0] for run in runs if len(run) == 1),
    )


@dataclass(frozen=True)
class Phase:
    """One part of a timeline, in units of TIMELINE_WIDTH. `name` is part of its CSS class."""

    name: str
    label: str
    x: float
    width: float


@dataclass(frozen=True)
class Timeline:
    """How a reply's time was spent: in the queue, until the first text, streaming."""

    total_ms: int
    phases: tuple[Phase, ...]

    @property
    def text(self) -> str:
        """The same in words."""
        return ", ".join(phase.label for phase in self.phases)


def timeline(timings: Timings, longest_ms: float) -> Timeline:
    """Draw a finished reply; `longest_ms` fills TIMELINE_WIDTH."""
    first_ms = timings.first_token_ms
    durations = [("queued", "queued", timings.queued_ms)]
    if first_ms is None:
        durations.append(("first-text", "no text for", timings.total_ms - timings.queued_ms))
    else:
        durations.append(("first-text", "first text after", first_ms - timings.queued_ms))
        durations.append(("streaming", "streamed for", timings.total_ms - first_ms))
    return Timeline(timings.total_ms, _phases(durations, longest_ms))


def pending_timeline(
    waited_ms: float, taken_ms: float | None, has_text: bool, longest_ms: float
) -> Timeline:
    """Draw an unfinished reply; `taken_ms` is the time since a worker took it."""
    durations = [("queued", "queued for", waited_ms - (taken_ms or 0))]
    if taken_ms is not None:
        phase = ("streaming", "in progress for") if has_text else ("first-text", "no text for")
        durations.append((*phase, taken_ms))
    return Timeline(round(waited_ms), _phases(durations, longest_ms))


def _phases(durations: Iterable[tuple[str, str, float]], longest_ms: float) -> tuple[Phase, ...]:
    phases, x = [], 0.0
    for name, label, length_ms in durations:
        length_ms = max(length_ms, 0)
        width = max(
            length_ms / max(longest_ms, 1) * TIMELINE_WIDTH, MIN_PHASE_WIDTH * (length_ms > 0)
        )
        phases.append(
            Phase(name, f"{label} {format_duration(length_ms)}", round(x, 1), round(width, 1))
        )
        x += width
    return tuple(phases)


def format_duration(milliseconds: float) -> str:
    """Format a length of time with two units at most."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest:02} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
