"""The dashboard shows what the scripts count, and counts each outcome once."""

import re

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.dashboard import MAX_REFUSALS, Tile, load_dashboard
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.operation import cluster, statistics
from chat.store.operation.cluster import WORKER_TIMEOUT_S
from chat.store.operation.endpoints import EndpointReport
from chat.store.operation.statistics import bucket, durations
from tests.component.admin.conftest import LIST, add_reply, get_html, start_reply
from tests.component.conftest import LIMITS, create_session, new_reply, send_message, take_message

pytestmark = pytest.mark.django_db


def event_count(store: Store, event: str) -> int:
    """Return how often an event was counted in the last minutes."""
    minutes = store.run(statistics.load_minutes(5))
    return sum(minute.get(event, 0) for minute in minutes.figures)


def load_minute(store: Store) -> statistics.Minutes:
    return store.run(statistics.load_minutes(2))


def clear_statistics(store: Store) -> None:
    if keys := list(store.redis.scan_iter("chat:minute:*")):
        store.redis.delete(*keys)


def tile(store: Store, name: str) -> Tile:
    tiles = [each for group in load_dashboard(store).groups for each in group.tiles]
    return next(each for each in tiles if each.name == name)


def test_each_outcome_is_counted_once(store: Store) -> None:
    before = {each: event_count(store, each) for each in ("created", "accepted", "replied")}
    session = create_session(store)
    message = send_message(store, session)
    store.run(sessions.accept(session, message.id, "again", address="test", limits=LIMITS))
    taken = take_message(store, session)
    for _ in range(2):
        store.run(
            leases.commit(session, taken.lease, new_reply(message.id, id=taken.reply), ttl_s=9)
        )
    assert {each: event_count(store, each) - count for each, count in before.items()} == {
        "created": 1,
        "accepted": 1,
        "replied": 1,
    }


def test_latencies_are_counted_in_buckets(store: Store) -> None:
    slow = bucket(77_000)
    before = event_count(store, f"total:{slow}")
    add_reply(store, create_session(store), total_ms=77_000)
    assert event_count(store, f"total:{slow}") == before + 1
    last = store.run(statistics.load_minutes(5)).figures
    assert any(bucket(300) in durations(minute, "first") for minute in last)


def test_statistics_expire_after_two_hours(store: Store) -> None:
    send_message(store, create_session(store))
    ages = [int(str(store.redis.ttl(key))) for key in store.redis.scan_iter("chat:minute:*")]
    assert ages
    assert all(0 < age <= 7_200 for age in ages)


def test_the_model_tile_shows_the_state_of_the_last_calls(store: Store) -> None:
    clear_statistics(store)
    assert tile(store, "Model").value == "-"
    add_reply(store, create_session(store))
    assert tile(store, "Model").value == "responding"
    add_reply(store, create_session(store), failure=ErrorCode.MODEL_UNAUTHORIZED)
    add_reply(store, create_session(store))
    assert (tile(store, "Model").value, tile(store, "Model").tone) == ("degraded", "warn")
    assert (
        "1 of 3 calls failed in the last 5 min: model.unauthorized" in tile(store, "Model").remark
    )
    store.run(statistics.count_event("loading"))
    assert tile(store, "Model").value == "loading"
    for key in store.redis.scan_iter("chat:minute:*"):
        store.redis.hdel(str(key), "replied", "at:loading")
    assert (tile(store, "Model").value, tile(store, "Model").tone) == ("failing", "bad")


def test_tiles_count_waiting_messages_and_replies_in_progress(store: Store) -> None:
    def counts() -> tuple[int, int]:
        names = ("Messages waiting", "Replies in progress")
        waiting, in_progress = (int(tile(store, name).value) for name in names)
        return waiting, in_progress

    waiting, in_progress = counts()
    session = create_session(store)
    start_reply(store, session)
    send_message(store, session)
    assert counts() == (waiting + 1, in_progress + 1)
    store.run(sessions.erase(session))


def test_sockets_are_counted_over_all_processes(store: Store) -> None:
    for each in ("one", "two"):
        session = create_session(store)
        store.run(
            sessions.register_socket(session, f"{session}.{each}", address=session, limits=LIMITS)
        )
    store.run(cluster.sweep(0))
    before = int(tile(store, "Open sockets").value)
    assert before >= 2
    store.run(sessions.unregister_socket(session, f"{session}.two", address=session))
    store.run(cluster.sweep(0))
    assert int(tile(store, "Open sockets").value) == before - 1


def test_a_worker_without_a_recent_heartbeat_is_not_responding(
    store: Store, operator: Client
) -> None:
    store.redis.delete("chat:workers")
    assert (tile(store, "Workers").value, tile(store, "Workers").tone) == ("0", "bad")
    for worker in ("host:11", "host:12"):
        store.run(cluster.heartbeat(worker, free=1))
    assert tile(store, "Workers").remark == "all responding"
    assert "less than 10 s ago" in get_html(operator, "dashboard/")

    store.redis.zincrby("chat:workers", -(WORKER_TIMEOUT_S + 1) * 1000, "host:11")
    assert tile(store, "Workers").value == "1"
    assert tile(store, "Workers").remark == "1 not responding"
    workers = load_dashboard(store).workers
    assert [(each.name, each.is_alive) for each in workers] == [
        ("host:12", True),
        ("host:11", False),
    ]
    assert re.search(r'<td class="chat-bad">1\d\.', get_html(operator, "dashboard/"))
    store.redis.delete("chat:workers")


def test_the_page_shows_charts_and_live_updates(store: Store, operator: Client) -> None:
    add_reply(store, create_session(store), failure=ErrorCode.MODEL_TIMEOUT)
    page = get_html(operator, "dashboard/")
    assert page.count("<svg") >= 6
    assert "model.timeout" in page
    live = operator.get(f"{LIST}dashboard/live/").json()
    assert live.keys() == {"tiles", "charts", "tables"}
    versions = {name: part["version"] for name, part in live.items()}
    assert operator.get(f"{LIST}dashboard/live/", versions).json().keys() <= {"tiles", "charts"}


def test_the_latest_reasons_of_refused_calls_are_shown(store: Store, operator: Client) -> None:
    clear_statistics(store)
    assert "Why the model server refused" not in get_html(operator, "dashboard/")
    for status in range(400, 407):
        store.run(statistics.count_event(statistics.refused(f"{status} not_found")))
    store.run(statistics.count_event(statistics.refused("404 not_found")))
    refusals = load_dashboard(store).refusals
    assert len(refusals) == MAX_REFUSALS
    assert {each.reason: each.calls for each in refusals}["404 not_found"] == 2
    assert all(each.last_at <= load_minute(store).now for each in refusals)
    page = get_html(operator, "dashboard/")
    assert "Why the model server refused" in page
    assert "404 not_found" in page
    clear_statistics(store)


def test_reasons_are_limited_in_number(store: Store) -> None:
    clear_statistics(store)
    for number in range(600):
        store.run(statistics.count_event(statistics.refused(f"400 name{number}")))
    assert sum(len(minute) for minute in load_minute(store).figures) <= 2 * 502
    clear_statistics(store)


def test_the_endpoints_of_models_are_shown(store: Store, operator: Client) -> None:
    store.redis.delete("chat:workers", "chat:endpoints")
    assert "Model endpoints" not in get_html(operator, "dashboard/")
    reports = [
        EndpointReport(model="fast", endpoint=f"gpu-{number}:8000", is_up=number == 1, requests=3)
        for number in (1, 2)
    ]
    store.run(cluster.heartbeat("host:11", free=1, endpoints=reports))
    page = get_html(operator, "dashboard/")
    assert "Model endpoints" in page
    assert re.search(r"<td>gpu-1:8000</td><td>up</td><td>3</td>", page)
    assert re.search(r'<td>gpu-2:8000</td><td class="chat-bad">down</td><td>3</td>', page)
    store.redis.delete("chat:workers", "chat:endpoints")
