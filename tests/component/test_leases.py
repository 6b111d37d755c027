"""Workers' commands on a real Redis: fenced by the lease, and idempotent."""

from uuid import uuid4

import pytest

from chat.errors import ErrorCode
from chat.schemas import Failure
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.command import LeaseLost
from chat.store.keys import session_key
from chat.store.operation import cluster
from tests.component.conftest import (
    LIMITS,
    new_reply,
    send_message,
    store_reply,
    take_message,
)


def test_only_one_worker_holds_a_session(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session, "lease-a")

    assert store.run(leases.take(session, "lease-b", uuid4(), history=4)) is None
    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "lease-b", taken.reply, 0, "x"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "lease-b", new_reply(taken.message.id), ttl_s=60))
    assert store.run(sessions.load(session)).last_seq == 1


def test_a_worker_without_its_lease_changes_nothing(store: Store, session: str) -> None:
    send_message(store, session)
    late = take_message(store, session, "late")
    store.redis.delete(f"chat:{{{session}}}:lease")
    stored = store_reply(store, session, "from another worker")

    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "late", late.reply, 0, "late"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "late", new_reply(late.message.id), ttl_s=60))
    assert store.run(sessions.load(session)).messages[1:] == (stored,)


def test_repeated_progress_is_stored_once(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    first = leases.progress(session, "lease-a", taken.reply, 0, "é😀")
    second = leases.progress(session, "lease-a", taken.reply, len("é😀".encode()), "!")

    for command in (first, first, second, second, first):
        store.run(command)

    partial = store.run(sessions.load(session)).partial_reply
    assert partial is not None
    assert (partial.id, partial.reply_to, partial.text) == (taken.reply, taken.message.id, "é😀!")


def test_another_attempt_restarts_the_text(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    store.run(leases.progress(session, "lease-a", taken.reply, 0, "first try"))
    store.run(leases.progress(session, "lease-a", uuid4(), 0, "second"))

    partial = store.run(sessions.load(session)).partial_reply
    assert partial is not None
    assert partial.text == "second"


def test_a_repeated_commit_is_stored_once(store: Store, session: str) -> None:
    send_message(store, session)
    send_message(store, session)
    taken = take_message(store, session)
    command = leases.commit(session, "lease-a", new_reply(taken.message.id), ttl_s=60)

    first, again = store.run(command), store.run(command)

    assert first == again
    assert first.pending == 1
    assert store.run(sessions.load(session)).last_seq == 3


def test_only_the_oldest_waiting_message_can_get_a_reply(store: Store, session: str) -> None:
    send_message(store, session, "a")
    later = send_message(store, session, "b")
    take_message(store, session)

    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "lease-a", new_reply(later.id), ttl_s=60))


def test_the_sweep_finds_a_released_session_at_once(store: Store, session: str) -> None:
    send_message(store, session)
    take_message(store, session)
    store.run(leases.release(session, "lease-a"))

    assert session in store.run(cluster.sweep(500)).sessions
    assert take_message(store, session, "lease-b").attempts == 2


def expire_lease(store: Store, session: str) -> None:
    store.redis.delete(session_key(session, "lease"))


def test_an_expired_lease_that_nobody_took_is_still_held(store: Store, session: str) -> None:
    message = send_message(store, session)
    taken = take_message(store, session)
    expire_lease(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, text="one"))
    assert store.redis.get(session_key(session, "lease")) == taken.lease
    assert store.redis.zscore("chat:waiting", session) is None

    expire_lease(store, session)
    assert store.run(leases.commit(session, taken.lease, new_reply(message.id), ttl_s=600))


def test_an_expired_lease_that_another_worker_took_is_lost(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    expire_lease(store, session)
    other = take_message(store, session, "lease-b")
    expire_lease(store, session)
    with pytest.raises(LeaseLost):
        store.run(leases.renew(session, taken.lease))
    store.run(leases.renew(session, other.lease))


def test_a_released_lease_is_not_held_again(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    store.run(leases.release(session, taken.lease))
    with pytest.raises(LeaseLost):
        store.run(leases.renew(session, taken.lease))


def test_the_history_has_later_replies_but_not_everything_after_the_message(
    store: Store, session: str
) -> None:
    first, second = (send_message(store, session, text) for text in ("first", "second"))
    failure = Failure(code=ErrorCode.MODEL_TIMEOUT, detail="late", retryable=True)
    for message in (first, second):
        taken = take_message(store, session)
        new = new_reply(message.id, "", error=failure)
        store.run(leases.commit(session, taken.lease, new, ttl_s=600))
    for _ in range(20):
        send_message(store, session)
        store_reply(store, session)
    for message in (first, second):
        store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))
    store_reply(store, session, "to the first")

    history = take_message(store, session).history

    assert [message.msg for message in history] == ["first", "to the first", "second", ""]
