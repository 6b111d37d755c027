"""Session search: the index and the scan find the same sessions in the same order."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import pytest

from chat.errors import ErrorCode
from chat.operator.conditions import (
    ERROR_CODES,
    FAILURE,
    SEARCHED_MESSAGES,
    Between,
    Condition,
    OneOf,
    Query,
    Words,
    in_state,
    one_of_ids,
)
from chat.operator.search_index import SearchIndex
from chat.operator.session_search import SessionSearch, scan
from chat.store import sessions
from chat.store.client import Store
from chat.store.operation.inspection import State, busy_sessions
from tests.component.admin.conftest import add_reply, start_reply, unique_word
from tests.component.conftest import LIMITS, create_session, send_message
from tests.processes import wait_for

HOUR_MS = 3_600_000


class Site(NamedTuple):
    """Sessions by label, all with `name` in their names."""

    name: str
    sessions: dict[str, str]


@pytest.fixture(scope="module")
def site(store: Store) -> Site:
    """One session in each state."""
    name = unique_word()
    labels = ("empty", "idle", "failed", "recovered", "slow", "waiting", "in_progress")
    ids = {label: create_session(store, f"{name} {label.capitalize()}") for label in labels}
    add_reply(store, ids["idle"], "Hello there, world.")
    add_reply(store, ids["failed"], failure=ErrorCode.MODEL_TIMEOUT)
    add_reply(store, ids["recovered"], failure=ErrorCode.MODEL_OVERLOADED)
    add_reply(store, ids["recovered"])
    add_reply(store, ids["slow"], total_ms=16_000)
    send_message(store, ids["waiting"])
    start_reply(store, ids["in_progress"])
    return Site(name, ids)


def search(store: Store, index: SearchIndex, query: Query) -> list[str]:
    """Return the ids that the index finds, which must be those that the scan finds."""
    found = index.page(query, 0, 100)
    assert set(scan(store, query).ids) == set(found)
    assert index.count(query) == len(found)
    return list(found)


@pytest.mark.parametrize(
    ("condition", "labels"),
    [
        (Words("name", "EMPT"), "empty"),
        (Words("name", "hello"), ""),
        (Words("name|msg", "hello"), "idle failed recovered slow waiting in_progress"),
        (Words("name|msg", "world, hell!"), "idle"),
        (Words("name|msg", "idle world"), "idle"),
        (Words("name|msg", "w"), ""),
        (Words("name|msg", "-"), ""),
        (OneOf("failure", ERROR_CODES), "failed recovered"),
        (OneOf("failure", ERROR_CODES, negated=True), "empty idle slow waiting in_progress"),
        (OneOf("failure", frozenset({"model.timeout"})), "failed"),
        (OneOf(FAILURE, ERROR_CODES), "failed recovered"),
        (OneOf(FAILURE, ERROR_CODES, negated=True), "empty idle slow waiting in_progress"),
        (OneOf("last_failure", ERROR_CODES), "failed"),
        (Between("reply_ms", start=15_000), "slow"),
        (Between("reply_ms", end=1_000), "idle failed recovered"),
        (Between("reply_ms", 1_000, 2_000), ""),
        (Between("last"), "idle failed recovered slow waiting in_progress"),
        (one_of_ids(["not an id"]), ""),
    ],
    # Sets have no fixed order, so the text of a condition is not a stable id.
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_index_and_scan_find_the_same_sessions(
    store: Store, index: SearchIndex, site: Site, condition: Condition, labels: str
) -> None:
    query = Query((one_of_ids(site.sessions.values()), condition))
    found = search(store, index, query)
    assert set(found) == {site.sessions[label] for label in labels.split()}


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        (State.IDLE, "empty idle recovered slow"),
        (State.FAILED, "failed"),
        (State.WAITING, "waiting"),
        (State.IN_PROGRESS, "in_progress"),
    ],
)
def test_index_and_scan_agree_on_states(
    store: Store, index: SearchIndex, site: Site, state: State, labels: str
) -> None:
    busy = store.run(busy_sessions())
    query = Query((one_of_ids(site.sessions.values()), *in_state(state, busy)))
    found = search(store, index, query)
    assert set(found) == {site.sessions[label] for label in labels.split()}


def test_a_session_is_found_by_a_prefix_of_its_id(
    store: Store, index: SearchIndex, site: Site
) -> None:
    ids = one_of_ids(site.sessions.values())
    for session in site.sessions.values():
        assert search(store, index, Query((ids, Words("name", session)))) == [session]
        assert session in search(store, index, Query((ids, Words("name", session[:5]))))


# "a" has no message, so it is last in both directions when sorted by messages. Names in JSON
# documents are sorted case-sensitively.
@pytest.mark.parametrize(
    ("order", "ascending", "descending"),
    [
        ("name", "Bac", "caB"),
        ("length", "Bca", "cBa"),
        ("started", "caB", "Bac"),
        ("last", "Bca", "cBa"),
    ],
)
def test_index_and_scan_sort_in_the_same_order(
    store: Store, index: SearchIndex, order: str, ascending: str, descending: str
) -> None:
    ids = {name: create_session(store, name) for name in "aBc"}
    now_ms = round(time.time() * 1000)
    for age_h, name in enumerate("Bac"):
        document = f"chat:{{{ids[name]}}}:document"
        started_ms = now_ms - age_h * HOUR_MS
        store.redis.execute_command("JSON.SET", document, "$.session_start", started_ms)
    first = send_message(store, ids["B"])
    wait_for(lambda: datetime.now(UTC) - first.timestamp > timedelta(milliseconds=2), "the clock")
    for _ in range(2):
        send_message(store, ids["c"])
    names = {session: name for name, session in ids.items()}
    for is_descending, expected in ((False, ascending), (True, descending)):
        query = Query((one_of_ids(names),), order, is_descending)
        for found in (index.page(query, 0, 9), scan(store, query).ids):
            assert "".join(names[session] for session in found) == expected


def test_pages_start_with_the_newest_sessions(store: Store, index: SearchIndex) -> None:
    ids = {}
    for age_h in (30, 0.01, 3, 0.1, 100):
        session = create_session(store)
        ids[session] = age_h
        started_ms = round(time.time() * 1000 - age_h * HOUR_MS)
        store.redis.execute_command(
            "JSON.SET", f"chat:{{{session}}}:document", "$.session_start", started_ms
        )
    query = Query((one_of_ids(ids),))
    for start, count in ((0, 1), (0, 3), (1, 2), (2, 2), (0, 5), (3, 9)):
        ages_h = [ids[session] for session in index.page(query, start, count)]
        assert ages_h == sorted(ids.values())[start : start + count]


def test_only_the_last_messages_of_a_session_are_searched(store: Store, index: SearchIndex) -> None:
    early, late = unique_word(), unique_word()
    session = create_session(store)
    limits = replace(LIMITS, pending=1_000)
    for text in (early, *["more"] * (SEARCHED_MESSAGES - 1), late):
        store.run(sessions.accept(session, uuid4(), text, address="test", limits=limits))
    only = one_of_ids([session])
    assert search(store, index, Query((only, Words("msg", late)))) == [session]
    assert search(store, index, Query((only, Words("msg", early)))) == []


@pytest.fixture
def without_index(redis_url: str) -> Iterator[Store]:
    """A store in database 1: the search module indexes only database 0."""
    store = Store(re.sub(r"/0$", "/1", redis_url), connections=4)
    yield store
    store.redis.flushdb()
    store.redis.close()


def test_without_the_search_module_sessions_are_scanned(
    without_index: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {create_session(without_index) for _ in range(5)}
    search = SessionSearch(without_index)
    assert search.count(Query()) == 5
    assert {summary.id for summary in search.page(Query(), 0, 10)} == ids
    assert len(search.page(Query(), 3, 10)) == 2
    notice = "This Redis server has no search module: sessions are scanned one by one."
    assert search.notice() == notice

    monkeypatch.setattr("chat.operator.session_search.BATCH", 2)
    monkeypatch.setattr("chat.operator.session_search.MAX_SCANNED", 4)
    bounded = SessionSearch(without_index)
    assert bounded.count(Query()) == 4
    assert bounded.notice() == f"{notice} Only 4 sessions were scanned."


def test_a_scan_stops_after_its_time_limit(
    without_index: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_session(without_index)
    monkeypatch.setattr("chat.operator.session_search.SCAN_TIMEOUT_S", -1)
    result = scan(without_index, Query())
    assert (result.scanned, result.is_complete) == (0, False)
