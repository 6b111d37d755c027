"""What concerns no one session, on a real Redis: the sweep, and signs of life."""

from uuid import uuid4

from chat.store import cluster, leases
from chat.store.client import Store
from tests.component.conftest import answer, due, say, take


def test_the_sweep_finds_a_lost_message_and_a_dead_workers(store: Store, session: str) -> None:
    def found() -> bool:
        return session in store.run(cluster.sweep(500))

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


def test_a_pulse_is_a_workers_sign_of_life(store: Store) -> None:
    store.run(cluster.heartbeat("worker-7", free=1))

    assert store.run(cluster.load()).workers["worker-7"] < 5
    assert "worker-7" in store.run(cluster.load()).alive


def test_the_worker_with_the_most_places_is_found_and_one_of_them_counted(store: Store) -> None:
    store.run(cluster.heartbeat("full", free=0))
    store.run(cluster.heartbeat("some", free=1001))
    store.run(cluster.heartbeat("most", free=1002))

    found = [store.run(cluster.find_slot("full")) for _ in range(3)]

    assert found == ["most", "some", "most"]
    assert store.run(cluster.find_slot("most")) == "some"


def test_a_dead_worker_has_no_places(store: Store) -> None:
    store.run(cluster.heartbeat("dead", free=2000))
    store.redis.zadd("chat:workers", {"dead": 1_000})

    assert store.run(cluster.find_slot("full")) != "dead"


def test_the_service_tells_who_waits_and_when_the_last_sweep_was(
    store: Store, session: str
) -> None:
    before = store.run(cluster.load()).waiting
    say(store, session)
    store.redis.zadd("chat:due", {session: 1_000})

    late = store.run(cluster.load())
    store.run(cluster.sweep(500))
    swept = store.run(cluster.load())

    assert late.waiting == before + 1
    assert late.overdue_s > 1_000
    assert swept.overdue_s < 5
    assert swept.swept_ago_s is not None
    assert swept.swept_ago_s < 5
