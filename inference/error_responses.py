"""Classify the error responses of model servers as a `ModelError`. No I/O.

Formats differ between servers: `error` is a string, a list, or an object with `message`, `type` and
`code`. It is sent with an error status, or as an event in a stream with status 200.
"""

import email.utils
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from inference.model_errors import (
    ModelBadReply,
    ModelError,
    ModelLoading,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnauthorized,
    ModelUnavailable,
)

# A name of an error. Nothing else of a response is logged: a message may quote the conversation.
_NAME: Final = re.compile(r"[A-Za-z]+(?:[_.-][A-Za-z]+)*")
_MAX_NAME: Final = 40


@dataclass(frozen=True)
class _Report:
    text: str  # all strings of the error, in lower case
    names: tuple[str, ...]  # the server's names for it: its type and its code
    status: int | None
    estimated_time_s: float | None


def error_in_event(event: object) -> ModelError | None:
    """Return the error that an event contains under `error`, or None."""
    report = _parse_report(event)
    return _with_reason(report, report.status, None) if report else None


def error_of_status(status: int, event: object, retry_after_s: float | None = None) -> ModelError:
    """Return the error for a status other than 200; `event` is the JSON body, or None."""
    report = _parse_report(event) or _Report("", (), None, None)
    return _with_reason(report, status, retry_after_s)


def parse_retry_after(value: str | None, now_s: float | None = None) -> float | None:
    """Parse a `Retry-After` header, seconds or an HTTP date (RFC 9110, 10.2.3), to seconds."""
    if value is None:
        return None
    try:
        return _as_seconds(float(value))
    except ValueError:
        pass
    try:
        at_s = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at_s - (time.time() if now_s is None else now_s))


def _parse_report(event: object) -> _Report | None:
    while isinstance(event, list):
        event = event[0] if event else None
    if not isinstance(event, dict):
        return None
    # vLLM before 0.10 sends the error's fields without an object around them.
    error = event if event.get("object") == "error" else event.get("error")
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    is_status = isinstance(code, int) and 400 <= code <= 599
    text = " ".join([*_strings(error), *_strings(event.get("error_type"))]).lower()
    return _Report(
        text=text,
        names=tuple(_names(error, event.get("error_type"))),
        status=code if is_status and isinstance(code, int) else None,
        estimated_time_s=_as_seconds(event.get("estimated_time")),
    )


def _names(error: object, error_type: object) -> Iterator[str]:
    """Yield the names of an error, each once, at the places where servers have them."""
    found = [
        error_type,
        *((error.get("type"), error.get("code")) if isinstance(error, dict) else ()),
    ]
    # Servers that send one string mostly send a message, seldom a name.
    if isinstance(error, str) and ("_" in error or error.endswith("Error")):
        found.append(error)
    for name in dict.fromkeys(each for each in found if isinstance(each, str)):
        if len(name) <= _MAX_NAME and _NAME.fullmatch(name):
            yield name


def _strings(value: object) -> Iterator[str]:
    """Yield all strings in an error, at most two levels deep: its messages, type and code."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            nested = item.values() if isinstance(item, dict) else [item]
            yield from (text for text in nested if isinstance(text, str))


def _with_reason(report: _Report, status: int | None, retry_after_s: float | None) -> ModelError:
    error = _classify(report, status, retry_after_s)
    error.reason = " ".join([*([] if status is None else [str(status)]), *report.names])
    return error


def _classify(report: _Report, status: int | None, retry_after_s: float | None) -> ModelError:
    if _is_loading(report, status):
        return ModelLoading(estimated_time_s=report.estimated_time_s, retry_after_s=retry_after_s)
    if _is_overload(report, status):
        return ModelOverloaded(retry_after_s=retry_after_s)
    if status is None:
        return _classify_text(report.text)
    if status in (401, 403):
        return ModelUnauthorized()
    if status == 408:
        return ModelTimeout(retry_after_s=retry_after_s)
    # 424: text-generation-inference's status for a failed generation, so not a rejected request.
    if status >= 500 or status == 424:
        return ModelUnavailable(retry_after_s=retry_after_s)
    return ModelRejected() if status >= 300 else ModelBadReply()


def _is_loading(report: _Report, status: int | None) -> bool:
    if status not in (None, 503):
        return False
    return report.estimated_time_s is not None or "loading" in report.text


def _is_overload(report: _Report, status: int | None) -> bool:
    if status is not None and status < 500:
        return status == 429
    return any(term in report.text for term in ("overloaded", "too many requests", "rate limit"))


def _classify_text(text: str) -> ModelError:
    """Classify an error in a stream, which has no status, by its type or message."""
    if any(kind in text for kind in ("validation", "invalid_request", "badrequest")):
        return ModelRejected()
    if any(kind in text for kind in ("authentication", "permission_error", "unauthorized")):
        return ModelUnauthorized()
    return ModelUnavailable()


def _as_seconds(value: object) -> float | None:
    """Return a finite, non-negative number of seconds, or None for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None
