"""The report's table."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.judge import Tally

HEAD = (
    "#",
    "fault",
    "times",
    "accepted",
    "answered",
    "of these failed",
    "lost",
    "doubled",
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
    tally: Tally
    recovery_s: float | None
    trouble: str = ""
    lack: str = ""

    @property
    def holds(self) -> bool:
        return not self.trouble and not any(self.tally.wrongs.values())


def table(lines: Sequence[Line]) -> str:
    """Return the table in Markdown, and below it what did not hold."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    troubles = [f"{line.number}: {line.trouble}" for line in lines if line.trouble]
    lacks = [f"{line.number}: not run: {line.lack}" for line in lines if line.lack]
    return "\n".join([*drawn, *troubles, *lacks]) + "\n"


def _cells(line: Line) -> tuple[str, ...]:
    tally = line.tally
    recovery = "" if line.recovery_s is None else f"{line.recovery_s:.1f}"
    counts = (tally.accepted, tally.answered, tally.failed, *tally.wrongs.values())
    return (str(line.number), line.fault, str(line.times), *map(str, counts), recovery)
