"""The processes export one tree of spans from a client's frame to its reply."""

import subprocess
import sys
from uuid import uuid4

import pytest
import requests
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from chat.store.shares import new_secret
from tests.acceptance.service.conftest import Site, send_and_receive
from tests.client import create_session
from tests.conftest import NewStack
from tests.processes import wait_for

EXPECTED = {
    "frame message.send",
    "apply_async/chat.tasks.answer",
    "run/chat.tasks.answer",
    "reply",
    "EVALSHA",
    "POST",
    "send reply.completed",
}


def test_one_trace_contains_the_frame_and_the_reply(site: Site) -> None:
    text, name = f"text{uuid4().hex}", f"name{uuid4().hex}"
    token = create_session(site.stack.url, name)
    site.model.clear_requests()
    frames = send_and_receive(site.stack.running("web")[0].port, token, text)
    requests.get(f"{site.stack.url}/refresh_token", params={"token": token}, timeout=5)
    link = new_secret("a session")
    requests.get(f"{site.stack.url}/s/{link}", timeout=5)
    message = frames[-1]["message"]["reply_to"]

    def names() -> set[str]:
        return {span.name for span in site.traces.trace_of(message)}

    wait_for(lambda: names() >= EXPECTED, "all spans")
    spans = {span.span_id: span for span in site.traces.trace_of(message)}

    def path_to_root(name: str) -> list[str]:
        span: Span | None = next(span for span in spans.values() if span.name == name)
        path = []
        while span:
            path.append(span.name)
            span = spans.get(span.parent_span_id)
        return path

    task = ["run/chat.tasks.answer", "apply_async/chat.tasks.answer", "frame message.send"]
    assert path_to_root("POST") == ["POST", "reply", *task]
    assert path_to_root("send reply.completed") == ["send reply.completed", "reply", *task]
    trace_id = next(iter(spans.values())).trace_id.hex()
    assert trace_id in site.model.requests[0].headers["traceparent"]

    def exported() -> bytes:
        return b"".join(site.traces.bodies)

    wait_for(lambda: b"/refresh_token" in exported(), "the span of the HTTP request")
    assert b"chat-under-test" in exported(), "the service's name"
    wait_for(lambda: b"/s/***" in exported(), "the span of the request for a link")
    for secret in (text, name, token, link):
        assert secret.encode() not in exported()
    assert not [span.name for span in site.traces.spans if "sweep" in span.name]


@pytest.mark.slow
def test_without_an_endpoint_sdk_and_instrumentation_are_not_imported(new_stack: NewStack) -> None:
    # redis-py itself imports the SDK if it is installed.
    code = "import django, sys; django.setup(); import chat.routing, chat.tasks; print(sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=new_stack().environment,
        timeout=60,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "chat.observability.tracing" in process.stdout
    for module in ("chat.observability.tracing_sdk", "opentelemetry.instrumentation"):
        assert f"'{module}'" not in process.stdout
