"""Stopping and regenerating a reply on a real Redis, in every state of the reply."""

from uuid import uuid4

import pytest

from chat.errors import MessageInvalid
from chat.store import leases, sessions
from chat.store.client import Store
from tests.component.conftest import LIMITS, new_reply, send_message, store_reply, take_message


def test_a_stop_reaches_the_worker_with_its_next_progress(store: Store, session: str) -> None:
    message = send_message(store, session)
    taken = take_message(store, session)

    assert store.run(sessions.stop(session, message.id, ttl_s=60)) is None

    assert store.run(leases.progress(session, "lease-a", taken.reply)).stop_requested


def test_a_stop_reaches_the_worker_that_takes_it_later(store: Store, session: str) -> None:
    send_message(store, session)
    behind = send_message(store, session)
    assert store.run(sessions.stop(session, behind.id, ttl_s=60)) is None
    store_reply(store, session)

    taken = take_message(store, session)
    assert taken.message == behind
    assert taken.stop_requested


def test_a_stop_of_a_message_without_a_worker_is_stored_at_once(store: Store, session: str) -> None:
    first, second = send_message(store, session, "a"), send_message(store, session, "b")
    command = sessions.stop(session, first.id, ttl_s=60)

    stopped = store.run(command)

    assert stopped is not None
    assert (stopped.new, stopped.pending) == (True, 1)
    stored = stopped.message
    assert (stored.seq, stored.msg, stored.reply_to, stored.pieces) == (3, "", first.id, 0)
    assert stored.finish_reason == "stop_requested"
    again = store.run(command)
    assert again is not None
    assert (again.new, again.message) == (False, stored)
    assert take_message(store, session).message == second


@pytest.mark.parametrize("by", ["the stop command", "the next worker"])
def test_a_stop_keeps_the_partial_reply_of_a_lost_worker(
    store: Store, session: str, by: str
) -> None:
    message = send_message(store, session)
    taken = take_message(store, session)
    store.run(leases.progress(session, "lease-a", taken.reply, 0, 'é"\\ 😀', pieces=3))
    if by == "the next worker":
        assert store.run(sessions.stop(session, message.id, ttl_s=60)) is None
    store.redis.delete(f"chat:{{{session}}}:lease")

    if by == "the next worker":
        later = take_message(store, session, "lease-b")
        assert (later.reply, later.text, later.pieces) == (taken.reply, 'é"\\ 😀', 3)
        return
    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))
    assert stopped is not None
    reply = stopped.message
    assert (reply.id, reply.msg, reply.pieces) == (taken.reply, 'é"\\ 😀', 3)


def test_a_regenerated_reply_that_was_stopped_before_it_started_keeps_the_old_one(
    store: Store, session: str
) -> None:
    message = send_message(store, session)
    old = store_reply(store, session)
    store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))

    assert stopped is not None
    assert (stopped.message.replaces, stopped.message.replaced_by) == (None, old.id)
    assert store.run(sessions.load(session)).messages[1].replaced_by is None


ERROR = {"code": "model.timeout", "detail": "Too late.", "retryable": True}
FAILED = {"finish_reason": None, "error": ERROR}


@pytest.mark.parametrize(
    ("text", "fields"),
    [("", FAILED), ("half of", FAILED), ("half of", {"finish_reason": "stop_requested"})],
)
def test_only_a_whole_reply_replaces_a_good_one(
    store: Store, session: str, text: str, fields: dict[str, object]
) -> None:
    message = send_message(store, session)
    old = store_reply(store, session, "good")
    store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    taken = take_message(store, session)
    new = new_reply(message.id, text, replaces=taken.replaces, **fields)
    committed = store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message
    assert (committed.replaces, committed.replaced_by) == (None, old.id)
    assert store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message == committed

    stored = store.run(sessions.load(session)).messages
    assert [one.msg for one in stored if not one.replaced_by] == ["hello", "good"]
    store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    assert store_reply(store, session, "better").replaces == old.id


def test_a_failed_reply_is_replaced_by_another_failed_one(store: Store, session: str) -> None:
    message = send_message(store, session)
    for _ in range(2):
        taken = take_message(store, session)
        new = new_reply(message.id, "", replaces=taken.replaces, **FAILED)
        last = store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message
        store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    first = store.run(sessions.load(session)).messages[1]
    assert (first.replaced_by, last.replaces, last.replaced_by) == (last.id, first.id, None)


def test_a_late_stop_returns_the_stored_reply(store: Store, session: str) -> None:
    message = send_message(store, session)
    reply = store_reply(store, session)

    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))
    assert stopped is not None
    assert (stopped.message, stopped.new) == (reply, False)
    with pytest.raises(MessageInvalid):
        store.run(sessions.stop(session, uuid4(), ttl_s=60))


def test_the_last_reply_is_replaced_by_a_new_one(store: Store, session: str) -> None:
    message = send_message(store, session)
    old = store_reply(store, session, "old")
    for _ in range(2):
        store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    assert store.run(sessions.load(session)).pending == (message.id,)

    new = store_reply(store, session, "new")

    stored = store.run(sessions.load(session)).messages
    assert new.replaces == old.id
    assert [(one.msg, one.replaced_by) for one in stored[1:]] == [("old", new.id), ("new", None)]
    assert stored[1].for_client().model_dump(mode="json") == {
        "id": str(old.id),
        "seq": 2,
        "source": "bot",
        "replaced_by": str(new.id),
        "reply_to": str(message.id),
    }


def test_only_the_last_reply_or_a_failed_one_can_be_regenerated(store: Store, session: str) -> None:
    first = send_message(store, session)
    store_reply(store, session)
    failed = send_message(store, session)
    taken = take_message(store, session)
    error = {"code": "model.timeout", "detail": "Too late.", "retryable": True}
    new = new_reply(taken.message.id, "", finish_reason=None, error=error)
    store.run(leases.commit(session, "lease-a", new, ttl_s=600))
    send_message(store, session)
    store_reply(store, session)

    with pytest.raises(MessageInvalid, match="last reply"):
        store.run(sessions.regenerate(session, first.id, address="test", limits=LIMITS))
    with pytest.raises(MessageInvalid, match="no such message"):
        store.run(sessions.regenerate(session, uuid4(), address="test", limits=LIMITS))
    store.run(sessions.regenerate(session, failed.id, address="test", limits=LIMITS))
    assert take_message(store, session).replaces == new.id
