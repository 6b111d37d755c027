"""What a server means when it reports a failure. Pure.

Servers agree on little: `error` is a string, a list, or an object with `message`, `type` and
`code`; it comes with a status, or in the middle of a stream that began with 200.
"""

import email.utils
import time
from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Report:
    words: str
    status: int | None
    estimated_time_s: float | None


def failure_in(event: object) -> ModelError | None:
    """Return the failure that an event reports under `error`, or None if it reports none."""
    report = _read_report(event)
    return _classify(report, report.status, None) if report else None


def failure_of_status(status: int, event: object, retry_after_s: float | None = None) -> ModelError:
    """Return what a status other than 200 means; `event` is the body's JSON, or None."""
    report = _read_report(event) or _Report("", None, None)
    return _classify(report, status, retry_after_s)


def parse_retry_after(value: str | None, now_s: float | None = None) -> float | None:
    """Read a `Retry-After` header, seconds or an HTTP date (RFC 9110, 10.2.3), as seconds."""
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


def _read_report(event: object) -> _Report | None:
    while isinstance(event, list):
        event = event[0] if event else None
    if not isinstance(event, dict) or not event.get("error"):
        return None
    error = event["error"]
    code = error.get("code") if isinstance(error, dict) else None
    is_status = isinstance(code, int) and 400 <= code <= 599
    words = " ".join([*_strings(error), *_strings(event.get("error_type"))]).lower()
    return _Report(
        words=words,
        status=code if is_status and isinstance(code, int) else None,
        estimated_time_s=_as_seconds(event.get("estimated_time")),
    )


def _strings(value: object) -> Iterator[str]:
    """All strings in an error, at most two levels deep: its messages, type and code."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            nested = item.values() if isinstance(item, dict) else [item]
            yield from (text for text in nested if isinstance(text, str))


def _classify(report: _Report, status: int | None, retry_after_s: float | None) -> ModelError:
    if _is_loading(report, status):
        return ModelLoading(estimated_time_s=report.estimated_time_s, retry_after_s=retry_after_s)
    if _is_overload(report, status):
        return ModelOverloaded(retry_after_s=retry_after_s)
    if status is None:
        return _classify_words(report.words)
    if status in (401, 403):
        return ModelUnauthorized()
    if status == 408:
        return ModelTimeout(retry_after_s=retry_after_s)
    # 424 is text-generation-inference's "the generation failed": the server's fault, not ours.
    if status >= 500 or status == 424:
        return ModelUnavailable(retry_after_s=retry_after_s)
    return ModelRejected() if status >= 300 else ModelBadReply()


def _is_loading(report: _Report, status: int | None) -> bool:
    if status not in (None, 503):
        return False
    return report.estimated_time_s is not None or "loading" in report.words


def _is_overload(report: _Report, status: int | None) -> bool:
    if status is not None and status < 500:
        return status == 429
    return any(word in report.words for word in ("overloaded", "too many requests", "rate limit"))


def _classify_words(words: str) -> ModelError:
    """An error in mid-stream has no status; its type says as much where there is one."""
    if any(kind in words for kind in ("validation", "invalid_request", "badrequest")):
        return ModelRejected()
    if any(kind in words for kind in ("authentication", "permission_error", "unauthorized")):
        return ModelUnauthorized()
    return ModelUnavailable()


def _as_seconds(value: object) -> float | None:
    """Return a duration, or None for whatever is not one (also not a number, infinite, below 0)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None
