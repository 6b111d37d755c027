"""What a check finds, and how checks are run so that none of them can stop the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warn"
    FAILURE = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `advice` is what to change."""

    level: Level
    what: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(what: str) -> Finding:
    return Finding(Level.OK, what)


def warning(what: str, advice: str) -> Finding:
    return Finding(Level.WARNING, what, advice)


def failure(what: str, advice: str) -> Finding:
    return Finding(Level.FAILURE, what, advice)


def examine(name: str, check: Check) -> Iterator[Finding]:
    """Run a check; what it did not foresee is a finding too, by its kind only."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 a report is better than a traceback
        yield failure(
            f"{name} could not be checked to the end ({type(error).__name__})",
            "Look at what was found before this line first.",
        )
