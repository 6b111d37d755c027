"""The lines of the doctor's report, and how a check runs without stopping the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The severity of a finding."""

    OK = "ok"
    PROGRESS = "..."
    WARNING = "warn"
    FAILURE = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `advice` says what to change."""

    level: Level
    text: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def progress(text: str) -> Finding:
    """Say what the doctor waits for, before it does."""
    return Finding(Level.PROGRESS, text)


def warning(text: str, advice: str) -> Finding:
    return Finding(Level.WARNING, text, advice)


def failure(text: str, advice: str) -> Finding:
    return Finding(Level.FAILURE, text, advice)


def run_check(name: str, check: Check) -> Iterator[Finding]:
    """Run a check; report an unexpected exception by its type only, as its text may be secret."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 a report is better than a traceback
        yield failure(
            f"The check of {name} failed ({type(error).__name__})",
            "Fix the problems reported above first.",
        )


def count(number: int, noun: str) -> str:
    """Return the number and the noun in its singular or plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
