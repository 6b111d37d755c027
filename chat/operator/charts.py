"""Series of numbers as the coordinates of a small chart, drawn by a template as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 300
HEIGHT = 80
STEPS = (1, 2, 2.5, 5)


@dataclass(frozen=True)
class Series:
    """Numbers in equal steps of time, oldest first; None where there was none."""

    name: str
    numbers: Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """A series drawn: runs of points as SVG's polyline takes them, and what it was last."""

    name: str
    runs: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Chart:
    """A small chart; `top` is the upper end of its scale, `tone` empty or failed."""

    title: str
    unit: str
    top: float
    lines: tuple[Line, ...]
    summary: str
    tone: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def top_text(self) -> str:
        """Return the upper end as a person reads it."""
        return f"{self.top:,g} {self.unit}".strip()


def chart(title: str, unit: str, series: Sequence[Series], summary: str, tone: str = "") -> Chart:
    """Draw series on one scale."""
    highest = max((n for each in series for n in each.numbers if n is not None), default=0)
    top = round_up(highest)
    return Chart(title, unit, top, tuple(_line(each, top) for each in series), summary, tone)


def round_up(number: float) -> float:
    """Return the next number that looks well at the end of a scale."""
    power = 1.0
    while number > power * 10:
        power *= 10
    return next((step * power for step in STEPS if step * power >= number), power * 10)


def _line(series: Series, top: float) -> Line:
    runs: list[list[tuple[float, float]]] = [[]]
    step = WIDTH / max(len(series.numbers) - 1, 1)
    for place, number in enumerate(series.numbers):
        if number is not None:
            runs[-1].append((round(place * step, 1), round(HEIGHT * (1 - number / top), 1)))
        elif runs[-1]:
            runs.append([])
    return Line(
        series.name,
        tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1),
        tuple(run[0] for run in runs if len(run) == 1),
    )
