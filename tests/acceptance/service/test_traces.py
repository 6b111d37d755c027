"""One tree of spans from a client's frame to its reply, sent to a collector; nothing when off."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.acceptance.service.conftest import begin, converse
from tests.conftest import NewStack
from tests.model_stub import ModelStub
from tests.processes import wait_for


class Collector:
    """An OTLP receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def trace_of(self, name: str) -> list[Span]:
        """Return all spans of the trace in which a span of that name is."""
        ids = {span.trace_id for span in self.spans if span.name == name}
        return [span for span in self.spans if span.trace_id in ids]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(collector) -> type[BaseHTTPRequestHandler]:  # noqa: N805 self is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                collector.bodies.append(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_one_tree_leads_from_the_frame_to_the_reply(
    new_stack: NewStack, collector: Collector, model_stub: ModelStub
) -> None:
    said, name = f"said{uuid4().hex}", f"name{uuid4().hex}"
    stack = new_stack(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="100",
        MODEL_URL=model_stub.endpoint("huggingface"),
    )
    stack.start()
    token = begin(stack.url, name)
    converse(stack.of("web")[0].port, token, said)
    requests.get(f"{stack.url}/refresh_token", params={"token": token}, timeout=5)

    def names() -> set[str]:
        return {span.name for span in collector.trace_of("frame message.send")}

    expected = {
        "frame message.send",
        "apply_async/chat.tasks.answer",
        "run/chat.tasks.answer",
        "reply",
        "EVALSHA",
        "POST",
        "tell reply.completed",
    }
    wait_for(lambda: expected <= names(), f"{expected}, there are only {names()}")
    spans = {span.span_id: span for span in collector.trace_of("frame message.send")}

    def way_to_the_root(name: str) -> list[str]:
        span: Span | None = next(one for one in spans.values() if one.name == name)
        way = []
        while span:
            way.append(span.name)
            span = spans.get(span.parent_span_id)
        return way

    task = ["run/chat.tasks.answer", "apply_async/chat.tasks.answer", "frame message.send"]
    assert way_to_the_root("POST") == ["POST", "reply", *task]
    assert way_to_the_root("tell reply.completed") == ["tell reply.completed", "reply", *task]
    trace_id = next(iter(spans.values())).trace_id.hex()
    assert trace_id in model_stub.requests[0].headers["traceparent"]

    wait_for(lambda: b"refresh_token" in b"".join(collector.bodies), "the span of the HTTP request")
    sent = b"".join(collector.bodies)
    for secret in (said, name, token):
        assert secret.encode() not in sent
    assert not [span.name for span in collector.spans if "sweep" in span.name]


def test_without_an_exporter_nothing_of_it_is_imported(new_stack: NewStack) -> None:
    # redis-py itself imports the SDK where it is installed.
    code = "import django, sys; django.setup(); import chat.routing, chat.tasks; print(sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=new_stack().environment,
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "chat.tracing" in process.stdout
    for module in ("chat.spans", "opentelemetry.instrumentation"):
        assert f"'{module}'" not in process.stdout
