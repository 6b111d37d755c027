"""An operator's claim on a session: who may write, and that the model gets the session back."""

from uuid import uuid4

import pytest

from chat.errors import MessageInvalid, SessionUnknown
from chat.store import leases, operators, sessions
from chat.store.client import Store
from chat.store.command import LeaseLost, NotJoined
from chat.store.operation import cluster
from chat.store.operators import Left
from tests.component.conftest import (
    LIMITS,
    create_session,
    due_at_ms,
    new_reply,
    send_message,
    store_reply,
    take_message,
)
from tests.processes import wait_for

GRACE = "operator:7 claim-a"
ALAN = "operator:8 claim-b"


def join(store: Store, session: str, lease: str = GRACE, name: str = "Grace") -> None:
    assert store.run(operators.join(session, lease, name, name.lower())) is None


def take_as_operator(store: Store, session: str, lease: str = GRACE) -> leases.TakenMessage | None:
    return store.run(leases.take(session, lease, uuid4(), history=1, by_operator=True))


def answer(store: Store, session: str, text: str, lease: str = GRACE) -> leases.Committed:
    taken = take_as_operator(store, session, lease)
    assert taken is not None
    reply = new_reply(taken.message.id, text, source="operator", operator="Grace")
    return store.run(leases.commit(session, lease, reply, ttl_s=600))


def end_heartbeats(store: Store, session: str) -> None:
    """Let a claim end as if its time had passed."""
    store.redis.zadd("chat:operators", {session: 1})


def renew(store: Store, session: str, *, is_active: bool = False, idle_s: float = 300) -> bool:
    command = operators.renew_claim(session, GRACE, is_active=is_active, idle_s=idle_s)
    return store.run(command).is_idle


def test_workers_get_nothing_while_an_operator_is_there(store: Store, session: str) -> None:
    join(store, session)
    send_message(store, session)

    assert store.run(leases.take(session, "worker", uuid4(), history=4)) is None
    assert due_at_ms(store, session) is None
    assert session not in store.run(cluster.sweep(500)).sessions
    assert store.redis.zscore("chat:waiting", session) is None


def test_an_operator_answers_with_the_commands_of_a_worker(store: Store, session: str) -> None:
    message = send_message(store, session)
    join(store, session)

    stored = answer(store, session, "I am a person.").message

    assert (stored.source, stored.operator, stored.reply_to) == ("operator", "Grace", message.id)
    loaded = store.run(sessions.load(session))
    assert loaded.pending == ()
    assert loaded.operator is not None
    assert (loaded.operator.name, loaded.operator.user) == ("Grace", "grace")


def test_an_answer_is_stored_once(store: Store, session: str) -> None:
    join(store, session)
    message = send_message(store, session)
    assert take_as_operator(store, session)
    reply = new_reply(message.id, source="operator", operator="Grace")
    stored = [store.run(leases.commit(session, GRACE, reply, ttl_s=600)) for _ in range(2)]
    assert stored[0] == stored[1]
    assert len(store.run(sessions.load(session)).messages) == 2


def test_a_second_operator_sees_who_is_there_and_must_replace_them(
    store: Store, session: str
) -> None:
    send_message(store, session)
    join(store, session)
    assert take_as_operator(store, session)

    there = store.run(operators.join(session, ALAN, "Alan", "alan"))
    assert there is not None
    assert (there.name, there.user) == ("Grace", "grace")
    assert take_as_operator(store, session, ALAN) is None

    assert store.run(operators.join(session, ALAN, "Alan", "alan", replace=True)) is None
    with pytest.raises(NotJoined):
        renew(store, session)
    with pytest.raises(LeaseLost):
        store.run(leases.progress(session, GRACE, uuid4(), 0, "late"))
    assert take_as_operator(store, session, ALAN) is not None


def test_a_user_replaces_themselves_from_another_page(store: Store, session: str) -> None:
    join(store, session)
    join(store, session, "operator:7 claim-c")
    with pytest.raises(NotJoined):
        renew(store, session)


def test_a_worker_finishes_the_reply_that_it_writes(store: Store, session: str) -> None:
    first = send_message(store, session)
    send_message(store, session)
    taken = take_message(store, session)
    join(store, session)

    assert take_as_operator(store, session) is None
    reply = new_reply(first.id)
    committed = store.run(leases.commit(session, taken.lease, reply, ttl_s=600))

    assert committed.pending == 1
    assert due_at_ms(store, session) is None
    assert take_as_operator(store, session) is not None


def test_the_message_of_a_lost_worker_waits_for_the_operator(store: Store, session: str) -> None:
    send_message(store, session)
    take_message(store, session)
    join(store, session)
    store.redis.zadd("chat:due", {session: 1})
    store.redis.delete(f"chat:{{{session}}}:lease")

    assert session not in store.run(cluster.sweep(500)).sessions
    assert due_at_ms(store, session) is None
    assert take_as_operator(store, session) is not None


def test_leaving_hands_back_what_waits_with_a_new_deadline(store: Store, session: str) -> None:
    message = send_message(store, session)
    join(store, session)
    assert take_as_operator(store, session)
    store.run(leases.progress(session, GRACE, uuid4(), 0, "Half an ans"))
    store.redis.hset(f"chat:{{{session}}}:work", f"due:{message.id}", 1)

    assert store.run(operators.leave(session, GRACE)) == Left(left=True, pending=1)
    assert store.run(operators.leave(session, GRACE)) == Left(left=False, pending=0)

    assert session in store.run(cluster.sweep(500)).sessions
    taken = take_message(store, session)
    assert taken.waited_s < 60
    assert (taken.message.id, taken.attempts) == (message.id, 1)
    assert store.run(sessions.load(session)).operator is None


def test_a_claim_without_heartbeats_ends(store: Store, session: str) -> None:
    send_message(store, session)
    join(store, session)
    assert session not in store.run(operators.ended_claims())
    end_heartbeats(store, session)

    assert session in store.run(operators.ended_claims())
    assert store.run(operators.end_claim(session)) == Left(left=True, pending=1)
    assert store.run(operators.end_claim(session)) == Left(left=False, pending=0)
    assert session in store.run(cluster.sweep(500)).sessions
    with pytest.raises(NotJoined):
        renew(store, session)


def test_a_worker_ends_a_claim_without_heartbeats_before_the_sweep(
    store: Store, session: str
) -> None:
    message = send_message(store, session)
    join(store, session)
    store.redis.hset(f"chat:{{{session}}}:work", f"due:{message.id}", 1)
    end_heartbeats(store, session)

    assert take_message(store, session).waited_s < 60


def test_a_claim_that_was_renewed_does_not_end(store: Store, session: str) -> None:
    join(store, session)
    assert not renew(store, session)
    assert store.run(operators.end_claim(session)).left is False


def test_an_operator_who_lets_a_message_wait_gives_the_session_back(
    store: Store, session: str
) -> None:
    join(store, session)
    assert not renew(store, session, idle_s=0.02), "nothing waits"
    send_message(store, session)
    assert not renew(store, session, is_active=True, idle_s=0.02)
    wait_for(lambda: renew(store, session, idle_s=0.02), "the claim to end")

    assert store.run(sessions.load(session)).operator is None
    assert session in store.run(cluster.sweep(500)).sessions


def test_only_a_living_claim_is_resumed(store: Store, session: str) -> None:
    with pytest.raises(NotJoined):
        store.run(operators.join(session, GRACE, "Grace", "grace", resume=True))
    join(store, session)
    assert store.run(operators.join(session, GRACE, "Grace", "grace", resume=True)) is None


def test_an_operator_writes_without_a_message_once(store: Store, session: str) -> None:
    id = uuid4()
    command = operators.say(session, GRACE, id, "Hello?", name="Grace", user="grace", limits=LIMITS)
    with pytest.raises(NotJoined):
        store.run(command)
    join(store, session)

    said = [store.run(command) for _ in range(2)]

    assert [each.new for each in said] == [True, False]
    (message,) = store.run(sessions.load(session)).messages
    assert (message.id, message.source, message.reply_to) == (id, "operator", None)
    assert message.record is not None
    assert message.record.user == "grace"


def test_the_model_does_not_replace_what_a_person_wrote(store: Store, session: str) -> None:
    message = send_message(store, session)
    join(store, session)
    answer(store, session, "By hand")
    with pytest.raises(MessageInvalid):
        store.run(sessions.regenerate(session, message.id, address="test", limits=LIMITS))


def test_the_pace_of_people_does_not_count_for_estimates(store: Store, session: str) -> None:
    store.redis.delete("chat:pace")
    send_message(store, session)
    join(store, session)
    answer(store, session, "Slowly")
    assert store.redis.hget("chat:pace", "reply_ms") is None


def test_a_visitor_asks_for_a_person(store: Store, session: str) -> None:
    assert store.run(operators.request(session, wanted=True)).requested
    store.run(operators.stay_on_duty("page-1"))
    state = store.run(operators.request(session, wanted=True))
    assert (state.requested, state.on_duty > 0) == (True, True)
    store.run(operators.stay_on_duty("page-1", is_over=True))
    waiting = {each.session: each for each in store.run(operators.requests())}
    assert waiting[session].name == "Ada"
    assert store.run(sessions.load(session)).operator_requested
    assert store.run(cluster.load()).operator_requests > 0

    join(store, session)
    assert not store.run(sessions.load(session)).operator_requested
    assert not store.run(operators.request(session, wanted=True)).requested


def test_a_request_is_withdrawn(store: Store, session: str) -> None:
    store.run(operators.request(session, wanted=True))
    assert not store.run(operators.request(session, wanted=False)).requested


def test_erasing_a_session_forgets_its_operator_and_request(store: Store) -> None:
    session = create_session(store)
    join(store, session)
    store.redis.zadd("chat:requests", {session: 1})
    store.run(sessions.erase(session))

    assert store.redis.zscore("chat:operators", session) is None
    assert store.redis.zscore("chat:requests", session) is None
    with pytest.raises(SessionUnknown):
        renew(store, session)


def test_requests_of_expired_sessions_are_forgotten(store: Store) -> None:
    session = create_session(store)
    store.run(operators.request(session, wanted=True))
    store.run(sessions.extend(session, 0))
    wait_for(
        lambda: not store.redis.exists(f"chat:{{{session}}}:document"), "the session to expire"
    )
    store.run(operators.ended_claims())
    assert store.redis.zscore("chat:requests", session) is None


def test_a_reply_of_the_model_follows_a_persons(store: Store, session: str) -> None:
    send_message(store, session)
    join(store, session)
    answer(store, session, "By hand")
    store.run(operators.leave(session, GRACE))
    send_message(store, session)
    assert store_reply(store, session).source == "bot"
