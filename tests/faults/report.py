"""The report: a table with one row per fault, and a summary line."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tests.faults.verification import Counts

Result = Literal["held", "failed", "skipped"]
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
    """One row of the report.

    `failure` says what did not hold, `skip_reason` why it was not run, `note` what it measured.
    """

    number: int
    fault: str
    times: int
    counts: Counts
    recovery_s: float | None
    failure: str = ""
    skip_reason: str = ""
    note: str = ""

    @property
    def result(self) -> Result:
        if self.skip_reason:
            return "skipped"
        failed = self.failure or any(self.counts.violations.values())
        return "failed" if failed else "held"


def summary(lines: Sequence[Line]) -> str:
    """Return the last line of the report: how many rows held, failed and were skipped."""
    counts = Counter(line.result for line in lines)
    results = ", ".join(f"{counts[result]} {result}" for result in get_args(Result))
    return f"{len(lines)} rows: {results}"


def exit_status(lines: Sequence[Line], *, allow_skipped: bool = False) -> int:
    """Return 0 if every row held, else 1. A skipped row counts as held only if that is allowed."""
    accepted = {"held", "skipped"} if allow_skipped else {"held"}
    return 0 if lines and all(line.result in accepted for line in lines) else 1


def table(lines: Sequence[Line]) -> str:
    """Return the table in Markdown and below it the failures, the skipped rows and the summary."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    failures = [f"{line.number}: {line.failure}" for line in lines if line.failure]
    skips = [f"{line.number}: not run: {line.skip_reason}" for line in lines if line.skip_reason]
    notes = [f"{line.number}: {line.note}" for line in lines if line.note]
    return "\n".join([*drawn, "", *failures, *skips, *notes, summary(lines)]) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    counts = line.counts
    recovery = "" if line.recovery_s is None else f"{line.recovery_s:.1f}"
    numbers = (counts.accepted, counts.answered, counts.failed, *counts.violations.values())
    return (str(line.number), line.fault, str(line.times), *map(str, numbers), recovery)
