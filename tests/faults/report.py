"""The report: one table and a summary for each web server."""

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
    """One row of the report. `failure` is the failed check, `skip_reason` why it did not run."""

    number: int
    fault: str
    times: int
    counts: Counts
    recovery_s: float | None
    failure: str = ""
    skip_reason: str = ""

    @property
    def passed(self) -> bool:
        return not self.failure and not any(self.counts.violations.values())


def report(web_server: str, lines: Sequence[Line]) -> str:
    """Return the table of one web server in Markdown, its failures and skipped rows, a summary."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    failures = [f"{line.number}: {line.failure}" for line in lines if line.failure]
    skips = [f"{line.number}: not run: {line.skip_reason}" for line in lines if line.skip_reason]
    notes = [*failures, *skips, ""] if failures or skips else []
    return (
        "\n".join([f"## {web_server}", "", *drawn, "", *notes, _summary(web_server, lines)]) + "\n"
    )


def _summary(web_server: str, lines: Sequence[Line]) -> str:
    total = sum((line.counts for line in lines), Counts())
    skipped = sum(bool(line.skip_reason) for line in lines)
    failed = sum(not line.passed for line in lines)
    violations = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in total.violations.items()
    )
    return (
        f"{web_server}: {len(lines) - failed - skipped} rows passed, {failed} failed, "
        f"{skipped} not run; {total.accepted} messages accepted, {violations}."
    )


def _cells(line: Line) -> tuple[str, ...]:
    counts = line.counts
    recovery = "" if line.recovery_s is None else f"{line.recovery_s:.1f}"
    numbers = (counts.accepted, counts.answered, counts.failed, *counts.violations.values())
    return (str(line.number), line.fault, str(line.times), *map(str, numbers), recovery)
