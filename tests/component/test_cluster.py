"""Cluster commands on a real Redis: the sweep, heartbeats, slots and health probes."""

from uuid import uuid4

from chat.store import cluster, leases, statistics
from chat.store.client import Store
from chat.store.inspection import BusySession, busy_sessions
from tests.component.conftest import answer, due, say, take


def test_the_sweep_finds_sessions_without_a_live_worker(store: Store, session: str) -> None:
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


def test_a_worker_is_alive_until_its_heartbeat_is_too_old(store: Store) -> None:
    store.run(cluster.heartbeat("worker-7", free=1))

    assert store.run(cluster.load()).workers["worker-7"] < 5
    assert "worker-7" in store.run(cluster.load()).alive

    store.redis.zincrby("chat:workers", -1_000 * cluster.WORKER_TIMEOUT_S, "worker-7")
    assert "worker-7" not in store.run(cluster.load()).alive


def test_a_health_probe_is_done_once_a_worker_recorded_it(store: Store) -> None:
    nonce = uuid4().hex
    assert not store.run(cluster.health_probe_done(nonce))
    store.run(cluster.record_health_probe(nonce))
    assert store.run(cluster.health_probe_done(nonce))


def test_statistics_count_an_event_and_its_time(store: Store) -> None:
    figure = f"test-{uuid4().hex}"
    store.run(statistics.count_event(figure))
    store.run(statistics.count_event(figure))

    minutes = store.run(statistics.load_minutes(3))
    assert sum(minute.get(figure, 0) for minute in minutes.figures) == 2
    last_ms = max(minute.get(f"at:{figure}", 0) for minute in minutes.figures)
    assert minutes.now.timestamp() * 1000 - last_ms < 5_000


def test_busy_sessions_show_what_waits_and_whether_a_worker_holds_it(
    store: Store, session: str
) -> None:
    def found() -> BusySession:
        return next(one for one in store.run(busy_sessions()) if one.session == session)

    say(store, session)
    say(store, session)
    assert found() == BusySession(session, in_progress=False, messages=2)
    take(store, session)
    assert found() == BusySession(session, in_progress=True, messages=2)


def test_the_worker_with_the_most_free_slots_is_found_and_a_slot_counted(store: Store) -> None:
    store.run(cluster.heartbeat("full", free=0))
    store.run(cluster.heartbeat("some", free=1001))
    store.run(cluster.heartbeat("most", free=1002))

    found = [store.run(cluster.find_slot("full")) for _ in range(3)]

    assert found == ["most", "some", "most"]
    assert store.run(cluster.find_slot("most")) == "some"


def test_a_dead_worker_has_no_slots(store: Store) -> None:
    store.run(cluster.heartbeat("dead", free=2000))
    store.redis.zadd("chat:workers", {"dead": 1_000})

    assert store.run(cluster.find_slot("full")) != "dead"


def test_the_cluster_state_shows_waiting_sessions_and_the_last_sweep(
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
