"""Traces: one tree of spans from a client's frame over the worker to the reply's frame.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set; then this project imports nothing of OpenTelemetry.
The tree holds together because a message keeps the trace it came with in its document, whoever
takes it, and however often.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

TOLD = frozenset({"reply.started", "reply.completed", "reply.failed"})


class Spans(Protocol):
    """What begins spans. A trace travels as the `traceparent` of W3C Trace Context."""

    def frame(self, kind: str, session: str) -> AbstractContextManager[object]: ...

    def reply(self, message: str, trace: str | None) -> AbstractContextManager[object]: ...

    def told(self, kind: str, trace: str) -> AbstractContextManager[object]: ...

    def current(self) -> str | None: ...


_OFF = nullcontext()
_spans: Spans | None = None


def start() -> None:
    """Send traces from now on, where the settings say whither."""
    global _spans
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and _spans is None:
        try:
            from chat.observability.spans import OtlpSpans
        except ImportError as error:
            raise ImproperlyConfigured(
                "OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements-tracing.txt"
            ) from error
        _spans = OtlpSpans(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def frame(kind: str, session: str) -> AbstractContextManager[object]:
    """A client's frame is acted on for as long as the block runs."""
    return _spans.frame(kind, session) if _spans else _OFF


def reply(message: str, trace: str | None) -> AbstractContextManager[object]:
    """A message that came with `trace` is answered for as long as the block runs."""
    return _spans.reply(message, trace) if _spans else _OFF


def told(kind: str, trace: str | None) -> AbstractContextManager[object]:
    """A frame about a reply goes out on a socket; pieces of text are too many to be spans."""
    return _spans.told(kind, trace) if _spans and trace and kind in TOLD else _OFF


def current() -> str | None:
    """Return the `traceparent` of the span this code runs in; None where there is none."""
    return _spans.current() if _spans else None
