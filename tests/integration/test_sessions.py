"""The steps of a session on a real Redis: each whole or not at all, and safe to run twice."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chat import leases, service, sessions
from chat.errors import (
    MessageInvalid,
    RateLimited,
    SessionBusy,
    SessionUnknown,
    TooManySockets,
)
from chat.schemas import session_id
from chat.steps import LeaseLost, Step
from chat.store import AsyncStore, Store
from tests.integration.conftest import LIMITS, answer, begin, reply, say, take

UNKNOWN = "0" * 32


def due(store: Store, session: str) -> float | None:
    score = store.redis.zscore("chat:due", session)
    return None if score is None else float(str(score))


def keys_of(store: Store, session: str) -> set[str]:
    return {str(key) for key in store.redis.scan_iter(f"chat:{{{session}}}:*")}


def test_messages_are_counted_from_one_without_gaps(store: Store, session: str) -> None:
    told = [say(store, session, text) for text in ("a", "b")]
    told.append(answer(store, session))

    read = store.run(sessions.read(session))
    assert [message.seq for message in told] == [1, 2, 3]
    assert list(read.messages) == told
    assert read.last_seq == 3


@pytest.mark.parametrize(
    "text",
    ["hello", '"],"}', "\\", "\x00\x1f", "😀 é \u2028", "Human: x\nBot: y", "$..*", "</script>"],
)
def test_any_text_is_stored_word_for_word(store: Store, session: str, text: str) -> None:
    say(store, session, text)
    answer(store, session, text)

    assert [message.msg for message in store.run(sessions.read(session)).messages] == [text, text]


def test_the_same_id_is_one_message(store: Store, session: str) -> None:
    message = uuid4()
    first = store.run(sessions.accept(session, message, "first", limits=LIMITS))
    again = store.run(sessions.accept(session, message, "other", limits=LIMITS))

    assert first.new
    assert not again.new
    assert again.message == first.message
    assert store.run(sessions.read(session)).pending == (message,)


def test_a_known_message_is_told_also_when_the_mailbox_is_full(store: Store, session: str) -> None:
    first = say(store, session)
    say(store, session)
    say(store, session)

    assert store.run(sessions.accept(session, first.id, "", limits=LIMITS)).message == first
    with pytest.raises(SessionBusy):
        say(store, session)


def test_a_refused_message_leaves_nothing(store: Store, session: str) -> None:
    slow = replace(LIMITS, messages_per_minute=1)
    store.run(sessions.accept(session, uuid4(), "a", limits=slow))
    before = store.run(sessions.read(session))

    with pytest.raises(RateLimited) as refused:
        store.run(sessions.accept(session, uuid4(), "b", limits=slow))

    assert 1 <= refused.value.retry_after_s <= 60
    after = store.run(sessions.read(session))
    assert after.left_s == pytest.approx(before.left_s, abs=5)
    passing = {"left_s": after.left_s, "backlog": after.backlog}
    assert after == before.model_copy(update=passing)


def test_steps_on_an_unknown_session_say_so(store: Store) -> None:
    new = reply(uuid4())
    refused: tuple[Step[Any], ...] = (
        sessions.accept(UNKNOWN, uuid4(), "a", limits=LIMITS),
        sessions.read(UNKNOWN),
        sessions.stop(UNKNOWN, uuid4(), ttl_s=60),
        sessions.regenerate(UNKNOWN, uuid4(), limits=LIMITS),
        sessions.extend(UNKNOWN, 60),
        leases.commit(UNKNOWN, "ours", new, ttl_s=60),
    )
    for step in refused:
        with pytest.raises(SessionUnknown):
            store.run(step)
    assert store.run(leases.take(UNKNOWN, "ours", uuid4(), history=4)) is None
    assert store.run(sessions.erase(UNKNOWN)) is False
    assert keys_of(store, UNKNOWN) == set()


def test_an_address_begins_so_many_sessions_a_minute(store: Store) -> None:
    address = str(uuid4())
    limits = replace(LIMITS, tokens_per_minute_per_ip=2)
    for _ in range(2):
        store.run(sessions.create(uuid4().hex, "Ada", address=address, limits=limits))

    with pytest.raises(RateLimited):
        store.run(sessions.create(uuid4().hex, "Ada", address=address, limits=limits))


def test_only_one_worker_holds_a_session(store: Store, session: str) -> None:
    say(store, session)
    taken = take(store, session, "ours")

    assert store.run(leases.take(session, "theirs", uuid4(), history=4)) is None
    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "theirs", taken.reply, 0, "x"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "theirs", reply(taken.message.id), ttl_s=60))
    assert store.run(sessions.read(session)).last_seq == 1


def test_a_worker_that_lost_its_lease_changes_nothing(store: Store, session: str) -> None:
    say(store, session)
    frozen = take(store, session, "frozen")
    store.redis.delete(f"chat:{{{session}}}:lease")
    answered = answer(store, session, "from another worker")

    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, "frozen", frozen.reply, 0, "late"))
    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "frozen", reply(frozen.message.id), ttl_s=60))
    assert store.run(sessions.read(session)).messages[1:] == (answered,)


def test_progress_told_twice_is_stored_once(store: Store, session: str) -> None:
    say(store, session)
    taken = take(store, session)
    first = leases.progress(session, "ours", taken.reply, 0, "é😀")
    second = leases.progress(session, "ours", taken.reply, len("é😀".encode()), "!")

    for step in (first, first, second, second, first):
        store.run(step)

    writing = store.run(sessions.read(session)).writing
    assert writing is not None
    assert (writing.id, writing.reply_to, writing.text) == (taken.reply, taken.message.id, "é😀!")


def test_another_attempt_starts_the_text_again(store: Store, session: str) -> None:
    say(store, session)
    taken = take(store, session)
    store.run(leases.progress(session, "ours", taken.reply, 0, "first try"))
    store.run(leases.progress(session, "ours", uuid4(), 0, "second"))

    writing = store.run(sessions.read(session)).writing
    assert writing is not None
    assert writing.text == "second"


def test_a_commit_told_twice_is_stored_once(store: Store, session: str) -> None:
    say(store, session)
    say(store, session)
    taken = take(store, session)
    step = leases.commit(session, "ours", reply(taken.message.id), ttl_s=60)

    first, again = store.run(step), store.run(step)

    assert first == again
    assert first.pending == 1
    assert store.run(sessions.read(session)).last_seq == 3


def test_only_the_oldest_message_can_be_answered(store: Store, session: str) -> None:
    say(store, session, "a")
    later = say(store, session, "b")
    take(store, session)

    with pytest.raises(LeaseLost):
        store.run(leases.commit(session, "ours", reply(later.id), ttl_s=60))


def test_every_key_of_a_session_ends_at_the_same_instant(store: Store, session: str) -> None:
    say(store, session)
    say(store, session)
    answer(store, session)
    taken = take(store, session)
    store.run(leases.progress(session, "ours", taken.reply, 0, "x"))

    names = ("document", "ids", "mailbox", "work", "partial")
    ends = {store.redis.pexpiretime(f"chat:{{{session}}}:{name}") for name in names}
    assert len(ends) == 1
    assert min(ends) > 0
    assert all(store.redis.pttl(key) > 0 for key in keys_of(store, session))


def test_time_starts_again_with_every_message(store: Store, session: str) -> None:
    short = replace(LIMITS, ttl_s=30)
    store.run(sessions.accept(session, uuid4(), "a", limits=short))
    assert store.run(sessions.read(session)).left_s == pytest.approx(30, abs=5)

    answer(store, session)
    assert store.run(sessions.read(session)).left_s == pytest.approx(600, abs=5)


def test_the_sweep_finds_a_lost_message_and_a_dead_workers(store: Store, session: str) -> None:
    def found() -> bool:
        return session in store.run(service.sweep(500))

    say(store, session)
    assert not found(), "its task is on the way"
    store.redis.zadd("chat:due", {session: 0})
    assert found()
    assert not found(), "it is not asked for again at once"

    take(store, session)
    store.redis.zadd("chat:due", {session: 0})
    taken_due = due(store, session)
    store.run(leases.progress(session, "ours", uuid4()))
    assert taken_due is not None
    assert (due(store, session) or 0) > taken_due, "a live lease puts it ahead"

    answer(store, session)
    assert due(store, session) is None


def test_a_lease_given_back_is_found_at_once(store: Store, session: str) -> None:
    say(store, session)
    take(store, session)
    store.run(leases.release(session, "ours"))

    assert session in store.run(service.sweep(500))
    assert take(store, session, "theirs").attempts == 2


def test_a_pulse_is_a_workers_sign_of_life(store: Store) -> None:
    store.run(service.pulse("worker-7", free=1))

    assert store.run(service.signs_of_life())["worker-7"] < 5
    assert "worker-7" in store.run(service.read()).alive


def test_the_worker_with_the_most_places_is_found_and_one_of_them_counted(store: Store) -> None:
    store.run(service.pulse("full", free=0))
    store.run(service.pulse("some", free=1001))
    store.run(service.pulse("most", free=1002))

    found = [store.run(service.place("full")) for _ in range(3)]

    assert found == ["most", "some", "most"]
    assert store.run(service.place("most")) == "some"


def test_a_dead_worker_has_no_places(store: Store) -> None:
    store.run(service.pulse("dead", free=2000))
    store.redis.zadd("chat:workers", {"dead": 1_000})

    assert store.run(service.place("full")) != "dead"


def test_the_service_tells_who_waits_and_when_the_last_sweep_was(
    store: Store, session: str
) -> None:
    before = store.run(service.read()).waiting
    say(store, session)
    store.redis.zadd("chat:due", {session: 1_000})

    late = store.run(service.read())
    store.run(service.sweep(500))
    swept = store.run(service.read())

    assert late.waiting == before + 1
    assert late.overdue_s > 1_000
    assert swept.overdue_s < 5
    assert swept.swept_ago_s is not None
    assert swept.swept_ago_s < 5


def test_a_stop_reaches_the_worker_with_its_next_progress(store: Store, session: str) -> None:
    message = say(store, session)
    taken = take(store, session)

    assert store.run(sessions.stop(session, message.id, ttl_s=60)) is None

    assert store.run(leases.progress(session, "ours", taken.reply)).stop_requested


def test_a_stop_reaches_the_worker_that_takes_it_later(store: Store, session: str) -> None:
    say(store, session)
    behind = say(store, session)
    assert store.run(sessions.stop(session, behind.id, ttl_s=60)) is None
    answer(store, session)

    taken = take(store, session)
    assert taken.message == behind
    assert taken.stop_requested


def test_a_stop_of_what_nobody_writes_needs_no_worker(store: Store, session: str) -> None:
    first, second = say(store, session, "a"), say(store, session, "b")
    step = sessions.stop(session, first.id, ttl_s=60)

    stopped = store.run(step)

    assert stopped is not None
    assert (stopped.new, stopped.pending) == (True, 1)
    told = stopped.message
    assert (told.seq, told.msg, told.reply_to, told.pieces) == (3, "", first.id, 0)
    assert told.finish_reason == "stop_requested"
    again = store.run(step)
    assert again is not None
    assert (again.new, again.message) == (False, told)
    assert take(store, session).message == second


@pytest.mark.parametrize("who", ["the stop", "the next worker"])
def test_a_stop_keeps_what_a_lost_worker_wrote(store: Store, session: str, who: str) -> None:
    message = say(store, session)
    taken = take(store, session)
    store.run(leases.progress(session, "ours", taken.reply, 0, 'é"\\ 😀', pieces=3))
    if who == "the next worker":
        assert store.run(sessions.stop(session, message.id, ttl_s=60)) is None
    store.redis.delete(f"chat:{{{session}}}:lease")

    if who == "the next worker":
        later = take(store, session, "theirs")
        assert (later.reply, later.text, later.pieces) == (taken.reply, 'é"\\ 😀', 3)
        return
    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))
    assert stopped is not None
    kept = stopped.message
    assert (kept.id, kept.msg, kept.pieces) == (taken.reply, 'é"\\ 😀', 3)


def test_a_stopped_second_try_replaces_the_first(store: Store, session: str) -> None:
    message = say(store, session)
    old = answer(store, session)
    store.run(sessions.regenerate(session, message.id, limits=LIMITS))
    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))

    assert stopped is not None
    assert stopped.message.replaces == old.id
    assert store.run(sessions.read(session)).messages[1].replaced_by == stopped.message.id


def test_a_stop_that_comes_too_late_gets_the_reply(store: Store, session: str) -> None:
    message = say(store, session)
    answered = answer(store, session)

    stopped = store.run(sessions.stop(session, message.id, ttl_s=60))
    assert stopped is not None
    assert (stopped.message, stopped.new) == (answered, False)
    with pytest.raises(MessageInvalid):
        store.run(sessions.stop(session, uuid4(), ttl_s=60))


def test_the_last_reply_is_replaced_by_a_new_one(store: Store, session: str) -> None:
    message = say(store, session)
    old = answer(store, session, "old")
    for _ in range(2):
        store.run(sessions.regenerate(session, message.id, limits=LIMITS))
    assert store.run(sessions.read(session)).pending == (message.id,)

    new = answer(store, session, "new")

    stored = store.run(sessions.read(session)).messages
    assert new.replaces == old.id
    assert [(one.msg, one.replaced_by) for one in stored[1:]] == [("old", new.id), ("new", None)]
    assert stored[1].told().model_dump(mode="json") == {
        "id": str(old.id),
        "seq": 2,
        "replaced_by": str(new.id),
    }


def test_only_the_last_reply_or_a_failed_one_is_written_again(store: Store, session: str) -> None:
    first = say(store, session)
    answer(store, session)
    failed = say(store, session)
    taken = take(store, session)
    error = {"code": "model.timeout", "detail": "Too late.", "retryable": True}
    new = reply(taken.message.id, "", finish_reason=None, error=error)
    store.run(leases.commit(session, "ours", new, ttl_s=600))
    say(store, session)
    answer(store, session)

    with pytest.raises(MessageInvalid, match="last reply"):
        store.run(sessions.regenerate(session, first.id, limits=LIMITS))
    with pytest.raises(MessageInvalid, match="no such message"):
        store.run(sessions.regenerate(session, uuid4(), limits=LIMITS))
    store.run(sessions.regenerate(session, failed.id, limits=LIMITS))
    assert take(store, session).replaces == new.id


def test_a_client_that_knows_more_than_the_document_gets_all(store: Store, session: str) -> None:
    say(store, session)

    ahead = store.run(sessions.read(session, after=5))

    assert not ahead.recovered
    assert len(ahead.messages) == 1
    assert store.run(sessions.read(session, after=1)).recovered


def test_sockets_are_counted_by_session_and_address(store: Store, session: str) -> None:
    address = str(uuid4())

    def enter(session: str, socket: str) -> None:
        store.run(sessions.enter(session, socket, address=address, limits=LIMITS))

    enter(session, "a")
    enter(session, "a")
    enter(session, "b")
    with pytest.raises(TooManySockets):
        enter(session, "c")
    store.run(sessions.leave(session, "a", address=address))
    enter(session, "c")

    other = begin(store)
    enter(other, "d")
    with pytest.raises(TooManySockets):
        enter(other, "e")


def test_a_socket_that_gives_a_sign_of_life_learns_where_the_session_ends(
    store: Store, session: str
) -> None:
    enter = sessions.enter(session, "a", address="x", limits=LIMITS)
    assert store.run(enter) == 0
    say(store, session)
    assert store.run(enter) == 1

    store.run(sessions.erase(session))
    with pytest.raises(SessionUnknown):
        store.run(enter)


def test_erasing_leaves_nothing(store: Store, session: str) -> None:
    say(store, session)
    take(store, session)
    store.run(sessions.enter(session, "a", address="x", limits=LIMITS))

    assert store.run(sessions.erase(session)) is True

    assert keys_of(store, session) == set()
    assert due(store, session) is None


def test_nothing_of_a_token_is_in_redis(store: Store) -> None:
    token = str(uuid4())
    session = session_id(token)
    store.run(sessions.create(session, "Ada", address="x", limits=LIMITS))

    dump = [str(key) for key in store.redis.scan_iter("*")]
    dump.append(json.dumps(store.redis.json().get(f"chat:{{{session}}}:document")))
    assert token not in " ".join(dump)


async def test_the_event_loop_runs_the_same_steps(redis_url: str, session: str) -> None:
    store = AsyncStore(redis_url, connections=4)
    try:
        await store.redis.script_flush()
        accepted = await store.run(sessions.accept(session, uuid4(), "hi", limits=LIMITS))
        read = await store.run(sessions.read(session))
    finally:
        await store.redis.aclose()
    assert read.messages == (accepted.message,)


def test_steps_in_one_round_trip_fail_one_by_one(store: Store, session: str) -> None:
    store.redis.script_flush()
    say(store, session)
    take(store, session)

    results = store.run_all(
        [
            leases.renew(session, "ours"),
            leases.renew(session, "theirs"),
            leases.renew(UNKNOWN, "ours"),
        ]
    )

    assert results[0] == leases.Held(stop_requested=False, length=0)
    assert [type(result) for result in results[1:]] == [LeaseLost, LeaseLost]
