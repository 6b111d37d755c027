"""A trace contains the spans of a message from its frame to its reply, if there is an exporter."""

from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chat.observability import tracing
from chat.observability.tracing_sdk import build_provider

Finished = Callable[[str], ReadableSpan]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    exporter = InMemorySpanExporter()
    provider = build_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    return exporter


@pytest.fixture
def finished(exporter: InMemorySpanExporter) -> Finished:
    """Return a function that finds a finished span by its name."""

    def find(name: str) -> ReadableSpan:
        return next(span for span in exporter.get_finished_spans() if span.name == name)

    return find


def trace_of(traceparent: str | None) -> int:
    assert traceparent
    return int(traceparent.split("-")[1], 16)


def test_without_an_exporter_there_is_no_trace() -> None:
    with tracing.frame("message.send", "session"):
        assert tracing.current() is None
    with tracing.reply("message", None):
        assert tracing.current() is None


@pytest.mark.usefixtures("exporter")
def test_every_frame_starts_a_trace() -> None:
    with tracing.frame("message.send", "session"):
        first = tracing.current()
        with tracing.frame("message.send", "session"):
            assert trace_of(tracing.current()) != trace_of(first)


def test_a_reply_in_another_task_continues_the_trace_of_its_message(finished: Finished) -> None:
    with tracing.frame("message.send", "session"):
        origin = tracing.current()
    with tracing.frame("session.sync", "session"):
        other = tracing.current()
        with tracing.reply("message", origin):
            assert trace_of(tracing.current()) == trace_of(origin)
    reply = finished("reply")
    assert [link.context.trace_id for link in reply.links] == [trace_of(other)]
    assert reply.attributes == {"chat.message": "message"}


def test_a_reply_within_the_trace_of_its_message_is_a_child_of_the_task(finished: Finished) -> None:
    with tracing.frame("message.send", "session"), tracing.reply("message", tracing.current()):
        pass
    reply, frame = finished("reply"), finished("frame message.send")
    assert reply.parent == frame.context
    assert not reply.links


def test_only_the_main_frames_of_a_reply_have_spans(
    exporter: InMemorySpanExporter, finished: Finished
) -> None:
    with tracing.frame("message.send", "session"):
        traceparent = tracing.current()
    for frame_type in ("reply.started", "reply.delta", "reply.completed"):
        with tracing.send(frame_type, traceparent):
            pass
    parent, frame = finished("send reply.completed").parent, finished("frame message.send").context
    assert parent
    assert frame
    assert (parent.trace_id, parent.span_id) == (frame.trace_id, frame.span_id)
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["frame message.send", "send reply.started", "send reply.completed"]


def test_work_without_a_request_is_not_traced(exporter: InMemorySpanExporter) -> None:
    with tracing.reply("message", None):
        pass
    assert exporter.get_finished_spans() == ()


def samples(sampler: str, traceparent: str | None, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return which of a hundred frames, each the parent of a reply, are exported with it."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    exporter = InMemorySpanExporter()
    provider = build_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    sampled = []
    for _ in range(100):
        if traceparent:
            with tracing.reply("message", traceparent):
                pass
        else:
            with tracing.frame("message.send", "session"):
                origin = tracing.current()
            with tracing.reply("message", origin):
                pass
        sampled.append(bool(exporter.get_finished_spans()))
        exporter.clear()
    return sampled


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ("always_on", {True}),
        ("parentbased_always_on", {True}),
        ("always_off", {False}),
        ("traceidratio", {True, False}),
        ("parentbased_traceidratio", {True, False}),
    ],
)
def test_the_configured_sampler_decides_about_frames(
    monkeypatch: pytest.MonkeyPatch, sampler: str, expected: set[bool]
) -> None:
    assert set(samples(sampler, None, monkeypatch)) == expected


@pytest.mark.parametrize(
    ("sampler", "flag", "expected"),
    [
        ("parentbased_always_off", "01", {True}),
        ("parentbased_traceidratio", "01", {True}),
        ("always_off", "01", {False}),
        ("always_on", "00", {False}),
    ],
)
def test_the_sampler_decides_whether_to_follow_the_parent_of_another_process(
    monkeypatch: pytest.MonkeyPatch, sampler: str, flag: str, expected: set[bool]
) -> None:
    traceparent = f"00-{'a1' * 16}-{'b2' * 8}-{flag}"
    assert set(samples(sampler, traceparent, monkeypatch)) == expected


def test_the_service_name_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat-of-ada")
    assert build_provider().resource.attributes["service.name"] == "chat-of-ada"
