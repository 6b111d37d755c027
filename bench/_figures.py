"""Figures: what was measured of each system, once in each round, and their comparison.

Systems are measured in turn, round by round, so that both of a pair see the same machine. A figure
is the median of the rounds with the lowest and the highest; a ratio is that of the rounds' ratios.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

OURS = "this project"
# The systems with which it is compared by ratios.
REFERENCES = ("plain", "bare path", "Chainlit")


@dataclass(frozen=True)
class Figure:
    """One quantity of one system; `name` contains the unit, `values` has one for each round.

    `group` tells the tables of one measurement apart.
    """

    name: str
    system: str
    values: tuple[float, ...]
    group: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def ratio(self, other: "Figure") -> "Figure":
        """Return this figure divided by another, round by round."""
        pairs = zip(self.values, other.values, strict=True)
        ratios = tuple(own / others for own, others in pairs if others)
        heading = f"{self.system} : {other.system}"
        return Figure(self.name, heading, ratios or (float("nan"),), self.group)

    def as_json(self) -> dict[str, Any]:
        """Return the figure and its statistics as a JSON object."""
        low, high = min(self.values), max(self.values)
        return asdict(self) | {"median": self.median, "low": low, "high": high}

    def __str__(self) -> str:
        if len(self.values) == 1:
            return _short(self.median)
        return f"{_short(self.median)} ({_short(min(self.values))} to {_short(max(self.values))})"


def alternate(
    systems: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int
) -> list[Figure]:
    """Measure each system in each round; return the figures in the order of their names."""
    values: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for system, measure in systems.items():
            for name, value in measure().items():
                values.setdefault((name, system), []).append(value)
    return [Figure(name, system, tuple(each)) for (name, system), each in values.items()]


def ratios(figures: Sequence[Figure]) -> list[Figure]:
    """Return the ratios of this project's figures to those of the references."""
    by_key = {(each.name, each.system): each for each in figures}
    return [
        each.ratio(by_key[each.name, reference])
        for each in figures
        for reference in REFERENCES
        if each.system == OURS and (each.name, reference) in by_key
    ]


def table(figures: Sequence[Figure], names: Iterable[str] | None = None) -> list[list[str]]:
    """Return a heading and a row for each quantity, with a column for each system and ratio."""
    columns = [*figures, *ratios(figures)]
    systems = list(dict.fromkeys(each.system for each in columns))
    wanted = list(dict.fromkeys(each.name for each in figures)) if names is None else list(names)
    cells = {(each.name, each.system): str(each) for each in columns}
    return [
        ["", *systems],
        *([name, *(cells.get((name, system), "") for system in systems)] for name in wanted),
    ]


def percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    if len(values) == 1:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


def as_text(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return aligned lines for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    heading, *body = rows
    rule = ["---"] + ["--:"] * (len(heading) - 1)
    return [f"| {' | '.join(row)} |" for row in (heading, rule, *body)]


def _short(value: float) -> str:
    """Return three significant digits, or all of an integer part."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or not value else f"{value:.1e}"
