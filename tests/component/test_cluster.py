"""Cluster commands on a real Redis: the sweep, heartbeats, slots and health probes."""

from uuid import uuid4

from chat.store import leases
from chat.store.client import Store
from chat.store.operation import cluster, statistics
from chat.store.operation.endpoints import EndpointReport
from chat.store.operation.inspection import BusySession, busy_sessions
from tests.component.conftest import due_at_ms, send_message, store_reply, take_message


def test_the_sweep_finds_due_sessions_without_a_live_lease(store: Store, session: str) -> None:
    def found() -> bool:
        return session in store.run(cluster.sweep(500)).sessions

    send_message(store, session)
    assert not found(), "its task is on the way"
    store.redis.zadd("chat:due", {session: 0})
    assert found()
    assert not found(), "it is not enqueued twice in a row"

    take_message(store, session)
    store.redis.zadd("chat:due", {session: 0})
    taken_due = due_at_ms(store, session)
    store.run(leases.progress(session, "lease-a", uuid4()))
    assert taken_due is not None
    assert (due_at_ms(store, session) or 0) > taken_due, "a live lease postpones it"

    store_reply(store, session)
    assert due_at_ms(store, session) is None


def test_a_worker_is_alive_until_its_heartbeat_is_too_old(store: Store) -> None:
    store.run(cluster.heartbeat("worker-7", free=1))

    assert store.run(cluster.load()).workers["worker-7"] < 5
    assert "worker-7" in store.run(cluster.load()).alive

    store.redis.zincrby("chat:workers", -1_000 * cluster.WORKER_TIMEOUT_S, "worker-7")
    assert "worker-7" not in store.run(cluster.load()).alive


def test_a_health_probe_is_done_after_a_worker_recorded_it(store: Store) -> None:
    nonce = uuid4().hex
    assert not store.run(cluster.health_probe_done(nonce))
    store.run(cluster.record_health_probe(nonce))
    assert store.run(cluster.health_probe_done(nonce))


def test_an_event_is_counted_with_its_time(store: Store) -> None:
    figure = f"test-{uuid4().hex}"
    store.run(statistics.count_event(figure))
    store.run(statistics.count_event(figure))

    minutes = store.run(statistics.load_minutes(3))
    assert sum(minute.get(figure, 0) for minute in minutes.figures) == 2
    last_ms = max(minute.get(f"at:{figure}", 0) for minute in minutes.figures)
    assert minutes.now.timestamp() * 1000 - last_ms < 5_000


def test_busy_sessions_have_their_waiting_messages_and_whether_a_reply_is_in_progress(
    store: Store, session: str
) -> None:
    def found() -> BusySession:
        return next(each for each in store.run(busy_sessions()) if each.session == session)

    send_message(store, session)
    send_message(store, session)
    assert found() == BusySession(session, in_progress=False, messages=2)
    take_message(store, session)
    assert found() == BusySession(session, in_progress=True, messages=2)


def test_the_worker_with_the_most_free_slots_is_found_and_loses_one(store: Store) -> None:
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
    send_message(store, session)
    store.redis.zadd("chat:due", {session: 1_000})

    late = store.run(cluster.load())
    store.run(cluster.sweep(500))
    swept = store.run(cluster.load())

    assert late.waiting == before + 1
    assert late.overdue_s > 1_000
    assert swept.overdue_s < 5
    assert swept.swept_ago_s is not None
    assert swept.swept_ago_s < 5


def report(*, is_up: bool, requests: int = 1) -> EndpointReport:
    return EndpointReport(model="fast", endpoint="gpu:8000", is_up=is_up, requests=requests)


def test_the_reports_about_endpoints_are_merged(store: Store) -> None:
    store.redis.delete("chat:workers", "chat:endpoints")
    store.run(cluster.heartbeat("one", free=1, endpoints=[report(is_up=False)]))
    store.run(cluster.heartbeat("two", free=1, endpoints=[report(is_up=True, requests=2)]))
    [status] = store.run(cluster.load()).endpoints
    assert (status.model, status.endpoint) == ("fast", "gpu:8000")
    assert (status.workers, status.down_for, status.requests, status.is_up) == (2, 1, 3, True)

    # A worker that is gone knows nothing any more, and one of another version is ignored.
    store.redis.zincrby("chat:workers", -1_000 * cluster.WORKER_TIMEOUT_S, "two")
    [status] = store.run(cluster.load()).endpoints
    assert (status.workers, status.is_up) == (1, False)
    store.redis.hset("chat:endpoints", "one", "[{}]")
    assert store.run(cluster.load()).endpoints == ()
    store.redis.delete("chat:workers", "chat:endpoints")
