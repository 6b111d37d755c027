"""The report's table."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.verification import Counts

HEAD = (
    "#",
    "fault",
    "times",
    "accepted",
    "answered",
    "failed",
    "lost",
    "duplicated",
    "out of order",
    "misdelivered",
    "seconds to recover",
)


@dataclass(frozen=True)
class Line:
    """One row of the report; `trouble` says what did not hold, `lack` why it was not run."""

    number: int
    fault: str
    times: int
    counts: Counts
    recovery_s: float | None
    failure: str = ""
    skip_reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.failure and not any(self.counts.violations.values())


def table(lines: Sequence[Line]) -> str:
    """Return the table in Markdown, and below it what did not hold."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    failures = [f"{line.number}: {line.failure}" for line in lines if line.failure]
    skips = [f"{line.number}: not run: {line.skip_reason}" for line in lines if line.skip_reason]
    return "\n".join([*drawn, *failures, *skips]) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    counts = line.counts
    recovery = "" if line.recovery_s is None else f"{line.recovery_s:.1f}"
    numbers = (counts.accepted, counts.answered, counts.failed, *counts.violations.values())
    return (str(line.number), line.fault, str(line.times), *map(str, numbers), recovery)
