"""OpenTelemetry itself, imported only where traces are sent."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from django.http import HttpRequest
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.util.types import Attributes

NOT_TRACED = "healthz,readyz,metrics,static"
SERVICE_NAME = "chat"


class OnlyWhatIsAsked(Sampler):
    """Begins a trace where somebody asked for something: not for sweeps, leases and heartbeats."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide on a span without a parent."""
        asked = kind is SpanKind.SERVER
        return SamplingResult(Decision.RECORD_AND_SAMPLE if asked else Decision.DROP, attributes)

    def get_description(self) -> str:
        """Return the name the specification asks for."""
        return type(self).__name__


class OtlpSpans:
    """Begins spans and sends them by OTLP over HTTP."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is the collector's address, to which the path of traces is added."""
        resource = Resource.create({"service.name": SERVICE_NAME})
        provider = TracerProvider(resource=resource, sampler=ParentBased(OnlyWhatIsAsked()))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        DjangoInstrumentor().instrument(excluded_urls=NOT_TRACED, request_hook=_forget_the_query)
        CeleryInstrumentor().instrument()
        RedisInstrumentor().instrument()
        RequestsInstrumentor().instrument()
        self._tracer = trace.get_tracer(__name__)

    def frame(self, kind: str, session: str) -> AbstractContextManager[object]:
        """Begin a trace with a client's frame."""
        return self._tracer.start_as_current_span(
            f"frame {kind}", Context(), SpanKind.SERVER, {"chat.session": session}
        )

    def reply(self, message: str, trace_parent: str | None) -> AbstractContextManager[object]:
        """Go on with the trace of the message, also where its task was asked for by another."""
        parent: Context | None
        here = trace.get_current_span()
        came_with = _context(trace_parent)
        there = trace.get_current_span(came_with)
        if _trace_id(there) in {0, _trace_id(here)}:
            parent, links = None, []
        else:
            parent, links = came_with, [Link(here.get_span_context())]
        return self._tracer.start_as_current_span(
            "reply", parent, SpanKind.CONSUMER, {"chat.message": message}, links
        )

    def told(self, kind: str, trace_parent: str) -> AbstractContextManager[object]:
        """Note in the reply's trace that a socket is told of it."""
        return self._tracer.start_as_current_span(f"tell {kind}", _context(trace_parent))

    def current(self) -> str | None:
        """Return the current span as a `traceparent`."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier.get("traceparent")


def _context(trace_parent: str | None) -> Context:
    return propagate.extract({"traceparent": trace_parent or ""}, Context())


def _trace_id(span: Span) -> int:
    return span.get_span_context().trace_id


def _forget_the_query(span: Span, request: HttpRequest) -> None:
    """A query may hold a token or a name."""
    path = urlsplit(request.path).path
    for name in ("http.url", "http.target", "url.full"):
        span.set_attribute(name, path)
    span.set_attribute("url.query", "")
