"""An outage is logged when it starts and when it ends, however often something fails."""

import logging

import pytest

from chat.observability.outage import Outage


def test_each_change_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("chat"), "It fails", "It works")
    outage.succeeded()
    assert not caplog.records
    for _ in range(3):
        outage.failed(OSError("refused"))
    assert outage.is_on
    for _ in range(3):
        outage.succeeded()
    assert not outage.is_on
    outage.failed(OSError())
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["It fails: OSError: refused", "It works, after 0 s", "It fails: OSError"]


def test_an_outage_of_a_part_is_one_line_while_the_rest_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage(logging.getLogger("chat"), "It fails", "It works")
    outage.quiet_s = 60
    for _ in range(3):
        outage.failed(OSError("refused"))
        outage.succeeded()
    assert outage.is_on
    outage.quiet_s = 0
    outage.succeeded()
    assert not outage.is_on
    assert len(caplog.records) == 2
