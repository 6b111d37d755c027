"""Workers' commands on a real Redis: fenced by the lease, and safe to run twice."""

from uuid import uuid4

import pytest

from chat.store import cluster, leases, sessions
from chat.store.client import Store
from chat.store.command import LeaseLost
from tests.component.conftest import new_reply, send_message, store_reply, take_message


def test_only_one_worker_holds_a_session(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session, "ours")

    assert store.run(leases.take(session, "theirs", uuid4(), history=4)) is None
    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "theirs", taken.reply, 0, "x"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "theirs", new_reply(taken.message.id), ttl_s=60))
    assert store.run(sessions.load(session)).last_seq == 1


def test_a_worker_that_lost_its_lease_changes_nothing(store: Store, session: str) -> None:
    send_message(store, session)
    frozen = take_message(store, session, "frozen")
    store.redis.delete(f"chat:{{{session}}}:lease")
    answered = store_reply(store, session, "from another worker")

    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "frozen", frozen.reply, 0, "late"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "frozen", new_reply(frozen.message.id), ttl_s=60))
    assert store.run(sessions.load(session)).messages[1:] == (answered,)


def test_progress_sent_twice_is_stored_once(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    first = leases.progress(session, "ours", taken.reply, 0, "é😀")
    second = leases.progress(session, "ours", taken.reply, len("é😀".encode()), "!")

    for command in (first, first, second, second, first):
        store.run(command)

    partial = store.run(sessions.load(session)).partial_reply
    assert partial is not None
    assert (partial.id, partial.reply_to, partial.text) == (taken.reply, taken.message.id, "é😀!")


def test_another_attempt_starts_the_text_again(store: Store, session: str) -> None:
    send_message(store, session)
    taken = take_message(store, session)
    store.run(leases.progress(session, "ours", taken.reply, 0, "first try"))
    store.run(leases.progress(session, "ours", uuid4(), 0, "second"))

    partial = store.run(sessions.load(session)).partial_reply
    assert partial is not None
    assert partial.text == "second"


def test_a_commit_sent_twice_is_stored_once(store: Store, session: str) -> None:
    send_message(store, session)
    send_message(store, session)
    taken = take_message(store, session)
    command = leases.commit(session, "ours", new_reply(taken.message.id), ttl_s=60)

    first, again = store.run(command), store.run(command)

    assert first == again
    assert first.pending == 1
    assert store.run(sessions.load(session)).last_seq == 3


def test_only_the_oldest_message_can_be_answered(store: Store, session: str) -> None:
    send_message(store, session, "a")
    later = send_message(store, session, "b")
    take_message(store, session)

    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "ours", new_reply(later.id), ttl_s=60))


def test_the_sweep_finds_a_released_session_at_once(store: Store, session: str) -> None:
    send_message(store, session)
    take_message(store, session)
    store.run(leases.release(session, "ours"))

    assert session in store.run(cluster.sweep(500))
    assert take_message(store, session, "theirs").attempts == 2
