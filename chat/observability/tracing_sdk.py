"""The OpenTelemetry SDK, its OTLP exporter and instrumentation; imported only to export traces."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.http import HttpRequest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from chat.observability.logs import redact

EXCLUDED_URLS = "healthz,readyz,metrics,static"


class RequestSampler(Sampler):
    """Starts traces with requests and client frames, not with sweeps, leases and heartbeats.

    `configured` decides which of those are exported.
    """

    def __init__(self, configured: Sampler) -> None:
        self._configured = configured

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
        if kind is not SpanKind.SERVER:
            return SamplingResult(Decision.DROP)
        return self._configured.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """Return the sampler's name."""
        return f"{type(self).__name__}{{{self._configured.get_description()}}}"


def build_provider() -> TracerProvider:
    """Return a provider with the service name and the sampler that the environment names."""
    provider = TracerProvider()
    configured = provider.sampler
    # The spans of a trace share the decision on its first span; those of other services, too,
    # unless the sampler ignores parents.
    provider.sampler = ParentBased(RequestSampler(configured), remote_parent_sampled=configured)
    return provider


def export_traces(endpoint: str) -> None:
    """Send the spans of this process to the OTLP/HTTP collector at `endpoint`."""
    provider = build_provider()
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(excluded_urls=EXCLUDED_URLS, request_hook=_remove_query)
    CeleryInstrumentor().instrument()
    RedisInstrumentor().instrument()


def _remove_query(span: Span, request: HttpRequest) -> None:
    """Remove the query, which may hold a token or a name, and secrets in the path."""
    path = redact(urlsplit(request.path).path)
    for name in ("http.url", "http.target", "url.full"):
        span.set_attribute(name, path)
    span.set_attribute("url.query", "")
