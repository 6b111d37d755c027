"""The responder commits one outcome and publishes it, or hands the session back."""

import logging
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest

from chat.errors import ErrorCode
from chat.events.delivery import Delivery
from chat.observability.logs import TextFormatter
from chat.protocol import ReplyCompleted
from chat.schemas import Session
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.keys import session_key
from chat.worker.model_queue import ModelQueue
from chat.worker.responder import Responder, ResponderSettings
from inference.model_errors import ModelUnavailable
from tests.component.conftest import (
    LIMITS,
    due_at_ms,
    new_reply,
    send_message,
    store_reply,
    take_message,
)
from tests.component.worker.conftest import RecordedDelivery, ScriptedModel, catalog
from tests.processes import wait_for

SETTINGS = ResponderSettings(history_messages=4, deadline_s=60, ttl_s=600, worker="host:1")


class Worker:
    """A responder with a scripted model and a record of what it publishes."""

    def __init__(self, store: Store, delivery: RecordedDelivery) -> None:
        self.store = store
        self.delivery = delivery

    def responder(self, *models: ScriptedModel, shows_models: bool = False) -> Responder:
        delivery = cast("Delivery", self.delivery)
        settings = replace(SETTINGS, shows_models=shows_models)
        return Responder(self.store, delivery, catalog(*models), ModelQueue(print), settings)

    def load(self, session: str) -> Session:
        return self.store.run(sessions.load(session))


@pytest.fixture
def worker(store: Store, delivery: RecordedDelivery) -> Worker:
    return Worker(store, delivery)


def test_a_reply_is_committed_before_it_is_published(worker: Worker, session: str) -> None:
    message = send_message(worker.store, session)
    committed: list[str] = []
    worker.delivery.on_publish = lambda frame: (
        committed.append(worker.load(session).messages[-1].msg)
        if isinstance(frame, ReplyCompleted)
        else None
    )
    assert not worker.responder(ScriptedModel(["hi"])).answer_next(session)
    stored = worker.load(session).messages[-1]
    assert (stored.msg, stored.reply_to, stored.finish_reason) == ("hi", message.id, "stop")
    assert committed == ["hi"]
    assert worker.delivery.types()[-1] == "reply.completed"


def test_the_log_names_the_reply(
    worker: Worker, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By a part of its id, because a whole UUID is redacted."""
    caplog.set_level(logging.INFO)
    send_message(worker.store, session)
    worker.responder(ScriptedModel(["hi"])).answer_next(session)
    reply = worker.load(session).messages[-1]
    [stored] = [record for record in caplog.records if record.message == "Reply stored"]
    assert f"reply={str(reply.id)[:8]} " in TextFormatter().format(stored)


def test_another_waiting_message_is_reported(worker: Worker, session: str) -> None:
    send_message(worker.store, session, "one")
    send_message(worker.store, session, "two")
    responder = worker.responder(ScriptedModel(["first"], ["second"]))
    assert responder.answer_next(session)
    assert not responder.answer_next(session)
    assert [message.msg for message in worker.load(session).messages] == [
        "one",
        "two",
        "first",
        "second",
    ]


def test_the_model_gets_the_history_window_in_order(worker: Worker, session: str) -> None:
    send_message(worker.store, session, "one")
    store_reply(worker.store, session, "first")
    send_message(worker.store, session, "two")
    model = ScriptedModel(["second"])
    worker.responder(model).answer_next(session)
    assert [(turn.source, turn.text) for turn in model.turns[0]] == [
        ("human", "one"),
        ("bot", "first"),
        ("human", "two"),
    ]


def test_the_whole_session_is_loaded_if_the_last_replies_were_replaced(
    worker: Worker, session: str
) -> None:
    message = send_message(worker.store, session, "one")
    store_reply(worker.store, session, "first")
    for number in range(8):
        worker.store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
        store_reply(worker.store, session, f"first {number}")
    send_message(worker.store, session, "two")
    model = ScriptedModel(["last"])
    worker.responder(model).answer_next(session)
    assert [turn.text for turn in model.turns[0]] == ["one", "first 7", "two"]


def test_without_a_waiting_message_the_model_is_not_called(worker: Worker, session: str) -> None:
    assert not worker.responder(ScriptedModel()).answer_next(session)
    assert worker.delivery.frames == []


def test_while_another_worker_holds_the_lease_the_model_is_not_called(
    worker: Worker, session: str
) -> None:
    send_message(worker.store, session)
    take_message(worker.store, session, "another")
    assert not worker.responder(ScriptedModel()).answer_next(session)
    assert worker.delivery.frames == []


def test_shutting_down_releases_the_lease_at_once(
    worker: Worker, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    send_message(worker.store, session)
    caplog.set_level(logging.INFO)
    model = ScriptedModel(["so far", lambda: responder.release_all()])
    responder = worker.responder(model)
    assert not responder.answer_next(session)
    assert worker.load(session).pending
    assert worker.store.run(
        leases.take(session, "next", worker.load(session).pending[0], history=4)
    )
    assert "Reply abandoned" in caplog.text


def test_the_outcome_of_another_worker_is_not_published_again(worker: Worker, session: str) -> None:
    message = send_message(worker.store, session)

    def expire_and_commit() -> None:
        # The text that was just added is stored at any time, which renews the lease.
        wait_for(lambda: worker.load(session).partial_reply, "the text to be stored")
        worker.store.redis.delete(session_key(session, "lease"))
        taken = take_message(worker.store, session, "another")
        reply = new_reply(message.id, "from another worker")
        worker.store.run(leases.commit(session, taken.lease, reply, ttl_s=600))

    worker.responder(ScriptedModel(["hi", expire_and_commit])).answer_next(session)
    assert [m.msg for m in worker.load(session).messages] == ["hello", "from another worker"]
    assert "reply.completed" not in worker.delivery.types()


def test_the_reply_of_a_session_deleted_meanwhile_is_dropped(worker: Worker, session: str) -> None:
    send_message(worker.store, session)
    model = ScriptedModel(["text", lambda: worker.store.run(sessions.erase(session))])
    assert not worker.responder(model).answer_next(session)
    assert due_at_ms(worker.store, session) is None
    assert "reply.completed" not in worker.delivery.types()


def test_an_attempt_with_a_defect_is_repeated_twice_and_then_fails(
    worker: Worker, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    send_message(worker.store, session)
    defects = [[RuntimeError(f"defect {number}")] for number in range(4)]
    responder = worker.responder(ScriptedModel(*defects))
    for _ in range(2):
        assert not responder.answer_next(session)
        assert worker.load(session).pending
    responder.answer_next(session)
    stored = worker.load(session).messages[-1]
    assert stored.error is not None
    assert stored.error.code is ErrorCode.REPLY_INTERNAL
    assert worker.delivery.types()[-1] == "reply.failed"
    assert "defect 2" in caplog.text
    assert not worker.load(session).pending


def test_a_history_that_cannot_be_read_ends_in_a_failure(worker: Worker, session: str) -> None:
    send_message(worker.store, session)
    document = session_key(session, "document")
    worker.store.redis.json().set(document, "$.messages[0].source", "nobody")
    responder = worker.responder(ScriptedModel())
    for _ in range(3):
        responder.answer_next(session)
    worker.store.redis.json().set(document, "$.messages[0].source", "human")
    error = worker.load(session).messages[-1].error
    assert error is not None
    assert error.code is ErrorCode.REPLY_INTERNAL


def test_absurd_token_counts_do_not_make_a_session_unreadable(worker: Worker, session: str) -> None:
    send_message(worker.store, session)
    worker.responder(ScriptedModel(["hi"])).answer_next(session)
    path = "$.messages[1].usage.prompt_tokens"
    for count in (1e25, -1, "many", None):
        worker.store.redis.json().set(session_key(session, "document"), path, count)
        usage = worker.load(session).messages[-1].usage
        assert usage is not None
        assert usage.prompt_tokens is None


def test_a_reply_names_the_model_that_wrote_it(worker: Worker, session: str) -> None:
    send_message(worker.store, session)
    failing = ScriptedModel([ModelUnavailable()])
    worker.responder(failing, ScriptedModel(["hi"]), shows_models=True).answer_next(session)
    stored = worker.load(session).messages[-1]
    assert stored.model == "model-2"
    assert stored.record is not None
    assert (stored.record.model, stored.record.endpoint) == ("served", "model-2:80")


def test_a_single_model_is_not_named(worker: Worker, session: str) -> None:
    send_message(worker.store, session)
    worker.responder(ScriptedModel(["hi"])).answer_next(session)
    assert worker.load(session).messages[-1].model is None


@pytest.mark.parametrize(("chosen", "writer"), [(None, 1), ("model-2", 2), ("removed", 1)])
def test_the_chosen_model_replies(
    worker: Worker, session: str, chosen: str | None, writer: int
) -> None:
    command = sessions.accept(session, uuid4(), "hi", address="test", limits=LIMITS, model=chosen)
    worker.store.run(command)
    models = [ScriptedModel(["one"]), ScriptedModel(["two"])]
    worker.responder(*models, shows_models=True).answer_next(session)
    assert worker.load(session).messages[-1].model == f"model-{writer}"


def test_a_message_waits_for_its_model_without_a_lease(worker: Worker, session: str) -> None:
    """And is enqueued when the model has a place again."""
    send_message(worker.store, session)
    woken: list[str] = []
    models, queue = catalog(ScriptedModel(["hi"]), concurrency=1), ModelQueue(woken.append)
    responder = Responder(worker.store, cast("Delivery", worker.delivery), models, queue, SETTINGS)
    with models.route(None) as other:
        assert other.reserve()
        assert not responder.answer_next(session)
        queue.wake(models.full_models())
        assert woken == []
    assert worker.load(session).pending
    assert worker.load(session).queue.waiting >= 1
    queue.wake(models.full_models())
    assert woken == [session]
    assert not responder.answer_next(session)
    assert worker.load(session).messages[-1].msg == "hi"
    assert worker.load(session).messages[-1].record.attempts == 1  # type: ignore[union-attr]
