"""Spans from a client's frame through the worker to the frames of its reply.

A message keeps the `traceparent` of its frame in the session's document, so that its reply belongs
to the same trace no matter which task generates it, or how often. Without an SDK, the spans of the
OpenTelemetry API do nothing.
"""

from contextlib import AbstractContextManager, nullcontext

from django.core.exceptions import ImproperlyConfigured
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_TRACE_ID, Link, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# Pieces of text are too many to be spans.
SENT_FRAMES = frozenset({"reply.started", "reply.completed", "reply.failed"})

_tracer = trace.get_tracer("chat")
_propagator = TraceContextTextMapPropagator()
_no_span = nullcontext()


def start(endpoint: str) -> None:
    """Export traces to the collector at `endpoint`; raises ImproperlyConfigured."""
    try:
        from chat.observability.tracing_sdk import export_traces
    except ImportError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs the packages of requirements-tracing.txt, which"
            " requirements.lock contains"
        ) from error
    export_traces(endpoint)


def frame(frame_type: str, session: str) -> AbstractContextManager[object]:
    """Start a trace that covers the handling of a client's frame."""
    return _tracer.start_as_current_span(
        f"frame {frame_type}", Context(), SpanKind.SERVER, {"chat.session": session}
    )


def reply(message: str, traceparent: str | None) -> AbstractContextManager[object]:
    """Cover the reply to a message, in the trace of the message.

    Usually that is the current trace. If another request enqueued the task, the span links to it.
    """
    enclosing = trace.get_current_span().get_span_context()
    context: Context | None = _context(traceparent)
    origin = trace.get_current_span(context).get_span_context()
    links = [Link(enclosing)]
    if origin.trace_id in {INVALID_TRACE_ID, enclosing.trace_id}:
        context, links = None, []
    return _tracer.start_as_current_span(
        "reply", context, SpanKind.CONSUMER, {"chat.message": message}, links
    )


def send(frame_type: str, traceparent: str | None) -> AbstractContextManager[object]:
    """Cover the sending of a reply's frame to a socket, in the trace of the reply."""
    if traceparent is None or frame_type not in SENT_FRAMES:
        return _no_span
    return _tracer.start_as_current_span(f"send {frame_type}", _context(traceparent))


def current() -> str | None:
    """Return the W3C `traceparent` of the current span, or None without a span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def _context(traceparent: str | None) -> Context:
    return _propagator.extract({"traceparent": traceparent or ""}, Context())
