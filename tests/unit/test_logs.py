"""Log records before they are formatted."""

import logging
import sys

import pytest
from django.core.exceptions import DisallowedHost

from chat.observability.logs import LogContextFilter


def record_of(logger: str, level: int) -> logging.LogRecord:
    try:
        raise DisallowedHost("Invalid HTTP_HOST header")
    except DisallowedHost as error:
        args = (logger, level, __file__, 1, "%s", (error,), sys.exc_info())
        record = logging.LogRecord(*args)
    assert LogContextFilter().filter(record)
    return record


@pytest.mark.parametrize("level", [logging.ERROR, logging.CRITICAL])
def test_a_request_that_django_refuses_is_a_warning_of_one_line(level: int) -> None:
    record = record_of("django.security.DisallowedHost", level)
    assert (record.levelno, record.levelname) == (logging.WARNING, "WARNING")
    assert record.exc_info is None


def test_other_errors_keep_their_level_and_traceback() -> None:
    record = record_of("django.request", logging.ERROR)
    assert record.levelno == logging.ERROR
    assert record.exc_info
