"""Progress stores the text of several replies in one round trip, and publishes what is stored."""

import threading
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest

from chat.errors import StoreUnavailable
from chat.events.delivery import Delivery
from chat.protocol import ReplyDelta
from chat.store import sessions
from chat.store.client import Store
from chat.store.keys import session_key
from chat.worker import progress
from chat.worker.lease_renewer import CancelReason, LeaseHandle
from chat.worker.progress import Draft, Progress
from tests.component.conftest import create_session, send_message, take_message
from tests.component.worker.conftest import RecordedDelivery
from tests.processes import wait_for


class CountedStore:
    """A store that counts the commands of each round trip, and can be away."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.batches: list[int] = []
        self.is_away = False
        self.gate = threading.Event()
        self.gate.set()

    def run_all(self, commands: Sequence[Any]) -> list[Any]:
        self.gate.wait(5)
        self.batches.append(len(commands))
        if self.is_away:
            raise StoreUnavailable
        return self.store.run_all(commands)


@pytest.fixture
def counted(store: Store) -> CountedStore:
    return CountedStore(store)


@pytest.fixture
def thread(counted: CountedStore, delivery: RecordedDelivery) -> Progress:
    return Progress(cast("Store", counted), cast("Delivery", delivery))


def new_draft(store: Store) -> Draft:
    """Return a draft of a message that was just taken."""
    session = create_session(store)
    send_message(store, session)
    taken = take_message(store, session)
    handle = LeaseHandle(session, taken.lease, taken.reply, time.monotonic() + 60)
    return Draft(handle, taken.message.id)


def write(thread: Progress, draft: Draft, text: str) -> None:
    draft.add(text)
    thread.add(draft)


def wait_until_stored(draft: Draft) -> None:
    wait_for(lambda: not draft.unstored(), "text to be stored")


def stored_text(store: Store, draft: Draft) -> str | None:
    partial = store.run(sessions.load(draft.handle.session)).partial_reply
    return partial.text if partial else None


def deltas(delivery: RecordedDelivery, draft: Draft) -> list[tuple[int, str]]:
    return [
        (frame.offset, frame.text)
        for frame in delivery.frames
        if isinstance(frame, ReplyDelta) and frame.id == draft.reply
    ]


def test_text_that_arrives_during_a_round_trip_is_stored_in_the_next_one(
    store: Store, counted: CountedStore, thread: Progress, delivery: RecordedDelivery
) -> None:
    drafts = [new_draft(store) for _ in range(5)]
    counted.gate.clear()
    write(thread, drafts[0], "first")
    wait_for(lambda: drafts[0].is_being_stored, "the first round trip")
    for draft in drafts[1:]:
        write(thread, draft, "größer ")
        write(thread, draft, "👋")
    counted.gate.set()
    for draft in drafts:
        wait_until_stored(draft)
    assert counted.batches == [1, 4]
    assert [stored_text(store, draft) for draft in drafts] == ["first"] + ["größer 👋"] * 4
    wait_for(lambda: deltas(delivery, drafts[4]), "the last delta")
    assert deltas(delivery, drafts[4]) == [(0, "größer 👋")]


def test_the_first_text_is_stored_at_once_and_more_after_an_interval(
    store: Store, thread: Progress, delivery: RecordedDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELTA_INTERVAL_S", 0.2)
    draft = new_draft(store)
    write(thread, draft, "a")
    wait_until_stored(draft)
    started_at = time.monotonic()
    for piece in "bcd":
        write(thread, draft, piece)
    wait_until_stored(draft)
    assert time.monotonic() - started_at > 0.1
    wait_for(lambda: len(deltas(delivery, draft)) == 2, "the second delta")
    assert deltas(delivery, draft) == [(0, "a"), (1, "bcd")]


def test_many_replies_send_longer_deltas(
    store: Store, thread: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MAX_DELTAS_PER_S", 10)
    drafts = [new_draft(store) for _ in range(3)]
    for draft in drafts:
        write(thread, draft, "first")
    for draft in drafts:
        wait_until_stored(draft)
    write(thread, drafts[0], " second")
    waits = drafts[0].store_at - time.monotonic()
    assert 0.1 < waits <= 0.3
    wait_until_stored(drafts[0])
    assert stored_text(store, drafts[0]) == "first second"


def test_text_that_redis_lost_is_stored_again_in_full(store: Store, thread: Progress) -> None:
    draft = new_draft(store)
    write(thread, draft, "one ")
    wait_until_stored(draft)
    store.redis.delete(session_key(draft.handle.session, "partial"))
    write(thread, draft, "two")
    wait_for(lambda: stored_text(store, draft) == "one two", "the whole text")


def test_text_is_kept_while_redis_is_away(
    store: Store,
    counted: CountedStore,
    thread: Progress,
    delivery: RecordedDelivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "RETRY_S", 0.01)
    draft = new_draft(store)
    counted.is_away = True
    write(thread, draft, "one ")
    wait_for(lambda: len(counted.batches) > 2, "two more attempts")
    assert delivery.frames == []
    assert draft.handle.cancel_reason is None
    counted.is_away = False
    write(thread, draft, "two")
    wait_until_stored(draft)
    assert stored_text(store, draft) == "one two"


def test_a_lost_lease_cancels_the_reply(
    store: Store, thread: Progress, delivery: RecordedDelivery
) -> None:
    draft = new_draft(store)
    draft.handle.lease = "another"
    write(thread, draft, "text")
    wait_for(lambda: draft.handle.cancel_reason, "the reply to be cancelled")
    assert draft.handle.cancel_reason is CancelReason.LEASE_LOST
    assert delivery.frames == []


def test_a_draft_that_has_ended_is_not_stored(
    store: Store, counted: CountedStore, thread: Progress
) -> None:
    ended, other = new_draft(store), new_draft(store)
    counted.gate.clear()
    write(thread, ended, "one ")
    wait_for(lambda: ended.is_being_stored, "the round trip")
    write(thread, ended, "two")
    ending = threading.Thread(target=thread.end, args=(ended,))
    ending.start()
    assert ending.is_alive()
    counted.gate.set()
    ending.join(5)
    assert ended.unstored() == "two"
    write(thread, other, "text")
    wait_until_stored(other)
    assert stored_text(store, ended) == "one "
