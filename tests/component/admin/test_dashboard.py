"""The dashboard's figures are what the scripts counted, each outcome once."""

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.dashboard import Tile, read_dashboard
from chat.store import cluster, leases, sessions, statistics
from chat.store.client import Store
from chat.store.statistics import bucket, durations
from tests.component.admin.conftest import LIST, answered, begin
from tests.component.conftest import LIMITS, reply, say, take

pytestmark = pytest.mark.django_db


def counted(store: Store, figure: str) -> int:
    """Return how often something happened in the last minutes."""
    minutes = store.run(statistics.load_minutes(5))
    return sum(minute.get(figure, 0) for minute in minutes.figures)


def tile(store: Store, name: str) -> Tile:
    return next(each for each in read_dashboard(store).tiles if each.name == name)


def test_each_outcome_is_counted_once(store: Store) -> None:
    before = {each: counted(store, each) for each in ("begun", "accepted", "replied")}
    session = begin(store, "Ada")
    message = say(store, session)
    store.run(sessions.accept(session, message.id, "again", limits=LIMITS))
    taken = take(store, session)
    for _ in range(2):
        store.run(leases.commit(session, taken.lease, reply(message.id, id=taken.reply), ttl_s=9))
    assert {each: counted(store, each) - count for each, count in before.items()} == {
        "begun": 1,
        "accepted": 1,
        "replied": 1,
    }


def test_latencies_are_counted_by_their_length(store: Store) -> None:
    slow = bucket(77_000)
    before = counted(store, f"total:{slow}")
    answered(store, begin(store, "Ada"), "hello", total_ms=77_000)
    assert counted(store, f"total:{slow}") == before + 1
    last = store.run(statistics.load_minutes(5)).figures
    assert any(bucket(300) in durations(minute, "first") for minute in last)


def test_figures_are_kept_for_two_hours(store: Store) -> None:
    say(store, begin(store, "Ada"))
    ages = [int(str(store.redis.ttl(key))) for key in store.redis.scan_iter("chat:minute:*")]
    assert ages
    assert all(0 < age <= 7_200 for age in ages)


def test_the_models_state_is_what_its_last_call_came_to(store: Store) -> None:
    keys = list(store.redis.scan_iter("chat:minute:*"))
    if keys:
        store.redis.delete(*keys)
    assert tile(store, "Model").value == "-"
    answered(store, begin(store, "Ada"), "hello")
    assert tile(store, "Model").value == "answering"
    answered(store, begin(store, "Ada"), "hello", failure=ErrorCode.MODEL_UNAUTHORIZED)
    assert tile(store, "Model").value == "faltering"
    assert "1 of 2 failed in 5 min: model.unauthorized" in tile(store, "Model").remark
    store.run(cluster.count_event("loading"))
    assert tile(store, "Model").value == "loading"
    for key in store.redis.scan_iter("chat:minute:*"):
        store.redis.hdel(str(key), "replied", "at:loading")
    assert tile(store, "Model").value == "failing"


def test_the_queue_and_the_replies_in_progress(store: Store) -> None:
    waiting, writing = (
        int(tile(store, name).value) for name in ("Messages waiting", "Being written")
    )
    session = begin(store, "Ada")
    say(store, session)
    say(store, session)
    assert int(tile(store, "Messages waiting").value) == waiting + 2
    take(store, session)
    assert int(tile(store, "Messages waiting").value) == waiting + 1
    assert int(tile(store, "Being written").value) == writing + 1
    store.run(sessions.erase(session))


def test_sockets_are_counted_over_all_processes(store: Store) -> None:
    for each in ("one", "two"):
        session = begin(store, "Ada")
        store.run(
            sessions.register_socket(session, f"{session}.{each}", address=session, limits=LIMITS)
        )
    store.run(cluster.sweep(0))
    before = int(tile(store, "Open sockets").value)
    assert before >= 2
    store.run(sessions.unregister_socket(session, f"{session}.two", address=session))
    store.run(cluster.sweep(0))
    assert int(tile(store, "Open sockets").value) == before - 1


def test_workers_are_listed_by_their_last_sign_of_life(store: Store) -> None:
    store.run(cluster.heartbeat("host:11", free=1))
    workers = {each.name: each for each in read_dashboard(store).workers}
    assert not workers["host:11"].is_silent
    store.redis.zincrby("chat:workers", -60_000, "host:11")
    board = read_dashboard(store)
    silent = {each.name: each for each in board.workers}["host:11"]
    assert silent.is_silent
    store.redis.zrem("chat:workers", "host:11")


def test_the_page_draws_the_last_hour(store: Store, operator: Client) -> None:
    answered(store, begin(store, "Ada"), "hello", failure=ErrorCode.MODEL_TIMEOUT)
    page = operator.get(f"{LIST}dashboard/").content.decode()
    assert page.count("<svg") >= 6
    assert "model.timeout" in page
    live = operator.get(f"{LIST}dashboard/live/").json()
    assert live.keys() == {"tiles", "charts", "workers"}
    versions = {name: part["version"] for name, part in live.items()}
    assert operator.get(f"{LIST}dashboard/live/", versions).json().keys() <= {"tiles", "charts"}
