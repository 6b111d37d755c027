"""The writer stores each piece before it publishes it, and turns every ending into one outcome."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest

from chat.errors import ErrorCode, StoreUnavailable
from chat.events.delivery import Delivery
from chat.protocol import ReplyDelta, ReplyStarted
from chat.schemas import StoredMessage
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.keys import session_key
from chat.store.leases import TakenMessage
from chat.store.operation import statistics
from chat.worker import progress, writer
from chat.worker.lease_renewer import CancelReason, LeaseHandle
from chat.worker.progress import Draft, Progress
from chat.worker.writer import Outcome, ReplyWriter
from inference.model_client import Turn
from inference.model_errors import (
    ModelBadReply,
    ModelLoading,
    ModelNoAnswer,
    ModelOverloaded,
    ModelRejected,
    ModelUnauthorized,
    ModelUnavailable,
)
from tests.component.conftest import LIMITS, new_reply, send_message, take_message
from tests.component.worker.conftest import RecordedDelivery, ScriptedModel, Step, catalog
from tests.processes import wait_for

TURNS = [Turn("human", "hello")]


class StoringProgress(Progress):
    """Lets the writer wait until its text is stored."""

    def add(self, draft: Draft) -> None:
        super().add(draft)
        wait_for(lambda: draft.handle.cancel_reason or not draft.unstored(), "text to be stored")


class Reply:
    """A taken message and the writer of its reply."""

    def __init__(self, store: Store, session: str, delivery: RecordedDelivery) -> None:
        self.store = store
        self.session = session
        self.delivery = delivery
        send_message(store, session)
        self.taken: TakenMessage = take_message(store, session)
        self.handle = self.new_handle()

    def new_handle(self, deadline_s: float = 60) -> LeaseHandle:
        deadline = time.monotonic() + deadline_s
        return LeaseHandle(self.session, self.taken.lease, self.taken.reply, deadline)

    def write(self, *models: ScriptedModel, turns: Sequence[Turn] = TURNS) -> Outcome | None:
        delivery = cast("Delivery", self.delivery)
        progress = StoringProgress(self.store, delivery)
        with catalog(*models).route(None) as self.route:
            writer = ReplyWriter(
                self.store, delivery, progress, self.route, self.taken, self.handle
            )
            return writer.write(turns)

    def stored_text(self) -> str | None:
        partial = self.store.run(sessions.load(self.session)).partial_reply
        return partial.text if partial else None


@pytest.fixture
def reply(store: Store, session: str, delivery: RecordedDelivery) -> Reply:
    return Reply(store, session, delivery)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELTA_INTERVAL_S", 0)
    monkeypatch.setattr(progress, "MAX_DELTAS_PER_S", 1_000_000)
    monkeypatch.setattr(writer, "MIN_LOADING_WAIT_S", 0.01)
    monkeypatch.setattr(
        writer, "retry_delay_s", lambda error, retries, jitter: delay(error, retries)
    )


def delay(error: Exception, retries: int) -> float | None:
    is_final = isinstance(error, ModelNoAnswer) or getattr(error, "permanent", False)
    return None if retries >= 2 or is_final else 0.01


def finished(outcome: Outcome | None) -> Outcome:
    assert outcome is not None
    return outcome


def test_the_first_piece_is_stored_before_it_is_published(reply: Reply) -> None:
    stored: list[str | None] = []
    reply.delivery.on_publish = lambda frame: (
        stored.append(reply.stored_text()) if isinstance(frame, ReplyDelta) else None
    )
    outcome = finished(reply.write(ScriptedModel(["one ", "two"])))
    assert stored == ["one ", "one two"]
    assert (outcome.text, outcome.pieces, outcome.finish_reason) == ("one two", 2, "stop")
    assert outcome.unpublished == ()
    assert outcome.usage is not None


def continue_reply(reply: Reply) -> StoredMessage:
    """Store the first part of the reply, and take its continuation."""
    first = new_reply(reply.taken.message.id, "Once upon", finish_reason="length")
    reply.store.run(leases.commit(reply.session, reply.taken.lease, first, ttl_s=600))
    reply.store.run(
        sessions.regenerate(
            reply.session, first.reply_to, address="test", limits=LIMITS, is_continued=True
        )
    )
    reply.taken = take_message(reply.store, reply.session)
    reply.handle = reply.new_handle()
    assert reply.taken.continues
    return reply.taken.continues


def test_a_continuation_starts_with_the_earlier_text(reply: Reply) -> None:
    earlier = continue_reply(reply)
    model = ScriptedModel([" a", ModelUnavailable()], [" a", " time"])
    outcome = finished(reply.write(model))
    sent = [
        (frame.offset, frame.text) if isinstance(frame, ReplyDelta) else frame.type
        for frame in reply.delivery.frames
    ]
    first = ["reply.started", (0, "Once upon"), (9, " a")]
    assert sent == [*first, *first, (11, " time")]
    starts = [frame for frame in reply.delivery.frames if isinstance(frame, ReplyStarted)]
    assert [start.continues for start in starts] == [earlier.id] * 2
    assert reply.stored_text() == outcome.text == "Once upon a time"
    loaded = reply.store.run(sessions.load(reply.session)).partial_reply
    assert loaded
    assert loaded.continues == earlier.id
    assert (outcome.continues, outcome.pieces) == (True, 2)


def test_a_continuation_waits_for_a_model_under_the_same_id(reply: Reply) -> None:
    continue_reply(reply)
    outcome = finished(reply.write(ScriptedModel([ModelLoading()], [" a"])))
    assert reply.delivery.types() == [
        *("reply.started", "reply.delta"),
        *("model.loading", "reply.delta"),
    ]
    assert (outcome.text, outcome.reply) == ("Once upon a", reply.taken.reply)


@pytest.mark.parametrize(
    ("steps", "continues"),
    [([], True), ([" a"], True), ([ModelRejected()], False), ([" a", ModelRejected()], False)],
)
def test_a_continuation_counts_if_the_model_ended_it(
    reply: Reply, steps: list[Step], continues: bool
) -> None:
    continue_reply(reply)
    assert finished(reply.write(ScriptedModel(steps))).continues is continues


@pytest.mark.parametrize("added", ["", " a"])
def test_a_stopped_continuation_counts_if_it_added_text(reply: Reply, added: str) -> None:
    continue_reply(reply)
    steps: list[Step] = [added] if added else []
    model = ScriptedModel([*steps, lambda: reply.handle.cancel(CancelReason.STOP)])
    outcome = finished(reply.write(model))
    assert (outcome.text, outcome.continues) == (f"Once upon{added}", bool(added))
    assert outcome.finish_reason == "stop_requested"


def test_offsets_count_characters(reply: Reply) -> None:
    reply.write(ScriptedModel(["größer 👋", " als", " ich"]))
    deltas = [frame for frame in reply.delivery.frames if isinstance(frame, ReplyDelta)]
    assert [delta.offset for delta in deltas] == [0, 8, 12]
    assert reply.stored_text() == "größer 👋 als ich"


def test_a_reply_that_arrives_whole_is_published_with_its_end(reply: Reply) -> None:
    outcome = finished(reply.write(ScriptedModel(["all of it"], whole=True)))
    assert reply.delivery.types() == ["reply.started"]
    assert [delta.text for delta in outcome.unpublished] == ["all of it"]
    assert not reply.stored_text()


def test_pieces_that_arrive_together_are_published_together(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DELTA_INTERVAL_S", 0.05)
    model = ScriptedModel(["a", "b", lambda: time.sleep(0.06), "c", "d"], whole=True)
    outcome = finished(reply.write(model))
    deltas = [frame for frame in reply.delivery.frames if isinstance(frame, ReplyDelta)]
    assert [(delta.offset, delta.text) for delta in deltas] == [(0, "abc")]
    assert [(delta.offset, delta.text) for delta in outcome.unpublished] == [(3, "d")]


def test_text_that_redis_lost_is_stored_again_in_full(reply: Reply) -> None:
    def lose_text() -> None:
        reply.store.redis.delete(session_key(reply.session, "partial"))

    outcome = finished(reply.write(ScriptedModel(["one ", lose_text, "two"])))
    assert reply.stored_text() == outcome.text == "one two"


def test_a_failed_call_starts_the_text_again_under_a_new_id(reply: Reply) -> None:
    model = ScriptedModel(["half", ModelUnavailable()], ["the whole"])
    outcome = finished(reply.write(model))
    assert reply.delivery.types() == [
        "reply.started",
        "reply.delta",
        "reply.started",
        "reply.delta",
    ]
    assert outcome.text == "the whole"
    assert outcome.reply == reply.handle.reply != reply.taken.reply
    assert all(call.is_closed for call in model.calls)


def test_a_call_that_failed_before_any_text_keeps_the_id(reply: Reply) -> None:
    outcome = finished(reply.write(ScriptedModel([ModelOverloaded()], ["text"])))
    assert outcome.reply == reply.taken.reply
    assert reply.delivery.types() == ["reply.started", "reply.delta"]


@pytest.mark.parametrize(
    ("error", "calls", "code", "retryable"),
    [
        (ModelUnavailable, 3, ErrorCode.MODEL_UNAVAILABLE, True),
        (ModelBadReply, 3, ErrorCode.MODEL_BAD_REPLY, True),
        (ModelRejected, 1, ErrorCode.MODEL_REJECTED, False),
    ],
)
def test_retries_end_in_the_failure_of_the_last_call(
    reply: Reply,
    error: type[ModelUnavailable | ModelBadReply | ModelRejected],
    calls: int,
    code: ErrorCode,
    retryable: bool,
) -> None:
    model = ScriptedModel(*(["some", error()] for _ in range(calls)))
    outcome = finished(reply.write(model))
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.retryable) == (code, retryable)
    assert outcome.text == "some"


def test_a_refused_call_is_logged_and_counted_with_its_reason(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    error = ModelRejected()
    error.reason = "404 NotFoundError"
    with caplog.at_level("INFO"):
        reply.write(ScriptedModel([error]))
    (record,) = [each for each in caplog.records if each.message == "The model call failed"]
    assert record.levelname == "WARNING"
    assert vars(record)["facts"] == {"code": "model.rejected", "reason": "404 NotFoundError"}
    latest, *_ = statistics.refusals(reply.store.run(statistics.load_minutes(2)))
    assert latest.reason == "404 NotFoundError"
    assert latest.calls >= 1


def test_a_call_that_is_retried_is_no_refusal(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        reply.write(ScriptedModel([ModelOverloaded()], ["text"]))
    levels = [each.levelname for each in caplog.records if "call failed" in each.message]
    assert levels == ["INFO"]


def test_thinking_is_published_at_intervals_before_the_text(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = finished(reply.write(ScriptedModel(["", "", "", "text"])))
    assert reply.delivery.types() == ["reply.started", "reply.thinking", "reply.delta"]
    assert (outcome.text, outcome.pieces, outcome.reply) == ("text", 1, reply.taken.reply)
    monkeypatch.setattr(writer, "THINKING_INTERVAL_S", 0)
    reply.write(ScriptedModel(["", ""]))
    assert reply.delivery.types()[-2:] == ["reply.thinking", "reply.thinking"]


def test_text_that_was_reasoning_is_taken_back_under_a_new_id(reply: Reply) -> None:
    outcome = finished(reply.write(ScriptedModel(["She asks", "", "the answer"])))
    assert reply.delivery.types() == [
        *("reply.started", "reply.delta", "reply.started", "reply.thinking", "reply.delta")
    ]
    assert outcome.text == reply.stored_text() == "the answer"
    assert outcome.reply == reply.handle.reply != reply.taken.reply


def test_only_reasoning_is_a_failure_that_can_be_tried_again(reply: Reply) -> None:
    outcome = finished(reply.write(ScriptedModel(["She asks", "", ModelNoAnswer()], [])))
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.retryable) == (ErrorCode.MODEL_NO_ANSWER, True)
    assert outcome.text == ""


def test_loading_is_published_and_is_no_retry(reply: Reply) -> None:
    script = [[ModelLoading()]] * 4
    outcome = finished(reply.write(ScriptedModel(*script, ["ready"])))
    assert reply.delivery.types().count("model.loading") == 4
    assert outcome.text == "ready"


def test_an_unreachable_store_does_not_end_the_wait_for_a_loading_model(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        monkeypatch.undo()
        raise StoreUnavailable

    def break_store() -> None:
        monkeypatch.setattr(type(reply.store), "run", unreachable)

    outcome = finished(reply.write(ScriptedModel([break_store, ModelLoading()], ["ready"])))
    assert outcome.text == "ready"


def test_an_error_after_the_deadline_is_a_deadline_failure(reply: Reply) -> None:
    reply.handle = reply.new_handle(deadline_s=0.05)
    wait: list[Step] = [lambda: time.sleep(0.06), ModelUnavailable()]
    outcome = finished(reply.write(ScriptedModel(wait)))
    assert outcome.failure == writer.DEADLINE


def test_a_model_that_loads_until_the_deadline_is_a_loading_failure(reply: Reply) -> None:
    script: list[Step] = [lambda: reply.handle.cancel(CancelReason.DEADLINE), "never"]
    outcome = finished(reply.write(ScriptedModel([ModelLoading()], script)))
    assert outcome.failure is not None
    assert outcome.failure.code is ErrorCode.MODEL_LOADING


def test_the_model_is_not_called_after_the_deadline(reply: Reply) -> None:
    reply.handle = reply.new_handle(deadline_s=-1)
    assert finished(reply.write(ScriptedModel())).failure == writer.DEADLINE


@pytest.mark.parametrize(
    ("reason", "finish_reason", "failure"),
    [
        (CancelReason.STOP, "stop_requested", None),
        (CancelReason.DEADLINE, None, writer.DEADLINE),
    ],
)
def test_a_cancelled_reply_keeps_its_text(
    reply: Reply, reason: CancelReason, finish_reason: str | None, failure: object
) -> None:
    model = ScriptedModel(["so far", lambda: reply.handle.cancel(reason), "never"])
    outcome = finished(reply.write(model))
    assert (outcome.text, outcome.finish_reason, outcome.failure) == (
        "so far",
        finish_reason,
        failure,
    )
    assert model.calls[0].is_closed


@pytest.mark.parametrize(
    "reason", [CancelReason.LEASE_LOST, CancelReason.SESSION_GONE, CancelReason.SHUTDOWN]
)
def test_a_reply_that_is_no_longer_this_workers_has_no_outcome(
    reply: Reply, reason: CancelReason
) -> None:
    assert reply.write(ScriptedModel(["so far", lambda: reply.handle.cancel(reason)])) is None


def test_a_stop_ends_the_wait_for_a_retry(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "retry_delay_s", lambda *_, **__: 30.0)
    script: list[Step] = [lambda: reply.handle._cancelled.set(), ModelUnavailable()]
    reply.handle.cancel_reason = CancelReason.STOP
    assert finished(reply.write(ScriptedModel(script))).finish_reason == "stop_requested"


def test_a_lost_lease_is_noticed_when_text_is_stored(reply: Reply) -> None:
    reply.handle.lease = f"another {uuid4()}"
    steps: list[Step] = ["text", lambda: None, "more"]
    assert reply.write(ScriptedModel(steps)) is None
    assert reply.handle.cancel_reason is CancelReason.LEASE_LOST
    assert reply.delivery.types() == ["reply.started"]


def test_a_stop_that_was_requested_before_keeps_the_earlier_workers_text(reply: Reply) -> None:
    reply.taken = replace(reply.taken, stop_requested=True, text="earlier", pieces=4)
    outcome = finished(reply.write(ScriptedModel()))
    assert (outcome.text, outcome.pieces, outcome.finish_reason) == ("earlier", 4, "stop_requested")
    assert reply.delivery.frames == []


def test_times_count_from_acceptance(reply: Reply) -> None:
    timings = finished(reply.write(ScriptedModel(["text"]))).timings
    assert timings.first_token_ms is not None
    assert timings.queued_ms <= timings.first_token_ms <= timings.total_ms


def test_the_fallback_starts_the_text_again_under_a_new_id(reply: Reply) -> None:
    failing, fallback = ScriptedModel(["half of", ModelUnavailable()]), ScriptedModel(["the whole"])
    outcome = finished(reply.write(failing, fallback))
    assert outcome.text == "the whole"
    started = [each.id for each in reply.delivery.frames if isinstance(each, ReplyStarted)]
    assert len(set(started)) == 2
    assert outcome.reply == started[-1]
    assert (len(failing.calls), len(fallback.calls)) == (1, 1)


def test_every_endpoint_is_asked_before_the_backoff(reply: Reply) -> None:
    first = ScriptedModel([ModelOverloaded()], [ModelOverloaded()])
    second = ScriptedModel([ModelUnavailable()], ["text"])
    assert finished(reply.write(first, second)).text == "text"
    assert (len(first.calls), len(second.calls)) == (2, 2)


def test_a_permanent_error_of_the_fallback_does_not_hide_a_transient_one(reply: Reply) -> None:
    first = ScriptedModel([ModelUnavailable()], ["text"])
    second = ScriptedModel([ModelUnauthorized()])
    assert finished(reply.write(first, second)).text == "text"


def test_a_model_that_only_reasons_is_not_replaced(reply: Reply) -> None:
    outcome = finished(reply.write(ScriptedModel([ModelNoAnswer()]), ScriptedModel(["text"])))
    assert outcome.failure is not None
    assert outcome.failure.code == "model.no_answer"
