"""The report of the fault suite: its summary, and when the run fails."""

from dataclasses import replace

import pytest

from tests.faults.report import Line, exit_status, summary, table
from tests.faults.verification import Counts

HELD = Line(1, "worker killed", 2, Counts(accepted=4, answered=4), 1.5)
LOST = replace(HELD, counts=Counts(accepted=4, lost=1))
BROKEN = replace(HELD, failure="AssertionError: too late")
SKIPPED = Line(18, "disk full", 0, Counts(), None, skip_reason="needs root")


def test_the_report_ends_with_a_summary() -> None:
    lines = [HELD, LOST, BROKEN, SKIPPED]
    assert summary(lines) == "4 rows: 1 held, 2 failed, 1 skipped"
    assert table(lines).splitlines()[-1] == summary(lines)


@pytest.mark.parametrize(
    ("lines", "allow_skipped", "status"),
    [
        ([HELD], False, 0),
        ([HELD, LOST], False, 1),
        ([HELD, BROKEN], True, 1),
        ([HELD, SKIPPED], False, 1),
        ([HELD, SKIPPED], True, 0),
        ([], False, 1),
    ],
)
def test_a_skipped_row_is_a_failure_unless_allowed(
    lines: list[Line], allow_skipped: bool, status: int
) -> None:
    assert exit_status(lines, allow_skipped=allow_skipped) == status
