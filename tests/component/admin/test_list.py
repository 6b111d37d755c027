"""The list of sessions: search, filters, order, pages and counts, on a real Redis with search."""

import re
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.search_index import SEARCHED_MESSAGES, Index
from chat.operator.search_query import Query, Span
from chat.operator.session_search import SessionSearch
from chat.schemas import session_id
from chat.store import inspection, sessions
from chat.store.client import Store
from tests.component.admin.conftest import LIST, Login, answered, begin, word
from tests.component.conftest import LIMITS, say, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("indexed")]


def found(client: Client, **query: str) -> list[str]:
    """Return the ids of the rows shown, in order."""
    response = client.get(LIST, query)
    assert response.status_code == 200, response
    return [row.id for row in response.context["cl"].result_list]


def test_a_session_is_found_by_name_message_and_id(store: Store, operator: Client) -> None:
    name, said = word(), word()
    session = begin(store, f"{name} Lovelace")
    answered(store, session, f"I said {said}, twice.")

    for text in (name, name[:12].upper(), said, f"twice {said}", session, session[:10]):
        assert session in found(operator, q=text), text
    assert found(operator, q=f"{name} {word()}") == []


def test_what_is_new_is_found_at_once(store: Store, operator: Client) -> None:
    said = word()
    session = begin(store, "Ada")
    assert found(operator, q=said) == []
    say(store, session, said)
    assert found(operator, q=said) == [session]
    store.run(sessions.erase(session))
    assert found(operator, q=said) == []


def test_a_search_cannot_be_bent_into_a_query(store: Store, operator: Client) -> None:
    session = begin(store, word())
    for text in ("*", '") | *', "@name:*", "-zzz", "%%%", "a]|[", "\\", "$..*", "😀", "x" * 3000):
        assert session not in found(operator, q=text), text


def test_who_may_not_read_transcripts_cannot_search_in_them(store: Store, login: Login) -> None:
    name, said = word(), word()
    session = begin(store, name)
    say(store, session, said)

    assert found(login("view_session"), q=said) == []
    assert found(login("view_session"), q=name) == [session]
    assert found(login("view_session", "view_transcript"), q=said) == [session]


def test_states_are_told_apart(store: Store, operator: Client) -> None:
    name = word()
    states = {state: begin(store, f"{name} {state}") for state in inspection.State}
    answered(store, states[inspection.State.IDLE], "hello")
    answered(store, states[inspection.State.FAILED], "hello", failure=ErrorCode.MODEL_TIMEOUT)
    say(store, states[inspection.State.WAITING])
    say(store, states[inspection.State.WRITING])
    take(store, states[inspection.State.WRITING])

    for state, session in states.items():
        assert found(operator, q=name, state=state) == [session]


def test_failures_are_found_even_when_a_later_reply_was_good(
    store: Store, operator: Client
) -> None:
    name = word()
    failed, fine = begin(store, name), begin(store, name)
    answered(store, failed, "first", failure=ErrorCode.MODEL_OVERLOADED)
    answered(store, failed, "second")
    answered(store, fine, "first")

    assert found(operator, q=name, failures="yes") == [failed]
    assert found(operator, q=name, failures="no") == [fine]
    assert found(operator, q=name, failures="model.overloaded") == [failed]
    assert found(operator, q=name, failures="model.timeout") == []
    assert found(operator, q=name, state="failed") == []


def test_slow_replies_are_found(store: Store, operator: Client) -> None:
    name = word()
    slow, quick = begin(store, name), begin(store, name)
    answered(store, slow, "a", total_ms=16_000)
    answered(store, slow, "b", total_ms=10)
    answered(store, quick, "a", total_ms=4_000)
    assert found(operator, q=name, slow="15") == [slow]
    assert found(operator, q=name, slow="30") == []


def test_a_session_is_found_by_the_time_something_was_said(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, name)
    silent = begin(store, name)
    said_at = answered(store, session, "hello").timestamp

    assert found(operator, q=name, around=f"{said_at:%H:%M}") == [session]
    assert found(operator, q=name, around=f"{said_at:%Y-%m-%d %H:%M}") == [session]
    assert found(operator, q=name, around="2020-01-01 09:10") == []
    assert set(found(operator, q=name, around="nonsense")) == {session, silent}


def test_ages_are_told_apart(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, name)
    assert found(operator, q=name, age="10") == [session]
    assert found(operator, q=name, age="-10") == []
    assert found(operator, q=name, last="10") == []
    say(store, session)
    assert found(operator, q=name, last="10") == [session]


def test_rows_can_be_sorted(store: Store, operator: Client) -> None:
    name = word()
    first, second, third = (begin(store, f"{name} {letter}") for letter in "BAC")
    for session, count in ((third, 1), (first, 2)):
        for _ in range(count):
            say(store, session)

    rows = operator.get(LIST, {"q": name}).context["cl"].result_list
    started = [row.started for row in rows]
    assert started == sorted(started, reverse=True)
    assert found(operator, q=name, o="1") == [second, first, third]
    assert found(operator, q=name, o="-1") == [third, first, second]
    assert found(operator, q=name, o="-5")[:2] == [first, third]


def test_pages_and_counts(store: Store, operator: Client) -> None:
    name = word()
    sessions_begun = [begin(store, name) for _ in range(53)]

    first = operator.get(LIST, {"q": name}).context["cl"]
    assert first.result_count == 53
    assert first.full_result_count >= 53
    second = found(operator, q=name, p="2")
    assert len(first.result_list) == 50
    assert {row.id for row in first.result_list} | set(second) == set(sessions_begun)
    assert len(found(operator, q=name, all="")) == 53


def test_counts_of_each_choice(store: Store, operator: Client) -> None:
    name = word()
    answered(store, begin(store, name), "hello", failure=ErrorCode.MODEL_TIMEOUT)
    say(store, begin(store, name))
    page = operator.get(LIST, {"q": name, "_facets": "True"}).content.decode()
    choices = re.findall(r">\s*([\w .]+ \(\d+\))</a>", page)
    assert "Failed (1)" in choices
    assert "Waiting (1)" in choices
    assert "Idle (0)" in choices
    assert "model.timeout (1)" in choices
    assert "Has none (1)" in choices


def test_a_name_is_text_in_the_list(store: Store, operator: Client) -> None:
    name = word()
    begin(store, f"{name} <script>alert(1)</script>")
    page = operator.get(LIST, {"q": name}).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_row_tells_failures_sockets_and_time_left(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, name)
    answered(store, session, "hello", failure=ErrorCode.MODEL_TIMEOUT)
    store.run(sessions.register_socket(session, "socket", address=session, limits=LIMITS))
    (row,) = operator.get(LIST, {"q": name}).context["cl"].result_list
    assert row.summary.failures == ("model.timeout",)
    assert row.summary.sockets == 1
    assert 590 < row.summary.remaining_s <= 600


def test_a_token_in_the_search_leads_to_its_session_with_a_warning(
    store: Store, operator: Client
) -> None:
    token = str(uuid4())
    session = session_id(token)
    store.run(sessions.create(session, "Ada", address=session, limits=LIMITS))
    response = operator.get(LIST, {"q": token}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{session}/change/", 302)]
    assert token not in response.content.decode()
    assert "Find by token" in response.content.decode()


def test_unknown_parameters_are_refused_as_by_any_list(operator: Client) -> None:
    assert operator.get(LIST, {"name__contains": "x"})["Location"] == f"{LIST}?e=1"
    assert operator.get(LIST, {"state": "sleepy"}).status_code == 200
    assert operator.get(LIST, {"p": "99999"})["Location"] == f"{LIST}?e=1"


@pytest.fixture
def unindexed(redis_url: str) -> Any:
    """A database that the search module does not serve: any but the first."""
    store = Store(re.sub(r"/0$", "/1", redis_url), connections=4)
    yield store
    store.redis.flushdb()
    store.redis.close()


def test_without_a_search_module_sessions_are_looked_at_one_by_one(
    unindexed: Store, indexed: Index
) -> None:
    name = word()
    session = begin(unindexed, f"{name} Hopper")
    other = begin(unindexed, f"{name} Lamarr")
    answered(unindexed, session, "hello there", total_ms=9_000)
    answered(unindexed, other, "bye", failure=ErrorCode.MODEL_TIMEOUT)
    directory = SessionSearch(unindexed)

    def ids(**conditions: Any) -> list[str]:
        return [each.id for each in directory.page(Query(**conditions), 0, 10)]

    assert set(ids()) == {session, other}
    assert ids(text=f"{name[:9]} hop") == [session]
    assert ids(text="HELLO", in_texts=True) == [session]
    assert ids(text="hello") == []
    assert ids(state=inspection.State.FAILED) == [other]
    assert ids(has_failures=False) == [session]
    assert ids(took=Span(start=5_000)) == [session]
    assert ids(text=other[:8]) == [other]
    assert ids(order="name", descending=False, text=name) == [session, other]
    assert directory.count(Query(text=name)) == 2
    assert "no search module" in str(directory.notice())


def test_the_fallback_says_how_far_it_looked(
    unindexed: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        begin(unindexed, "Ada")
    monkeypatch.setattr("chat.operator.scan.BATCH", 2)
    monkeypatch.setattr("chat.operator.scan.SESSIONS_AT_MOST", 4)
    directory = SessionSearch(unindexed)
    assert directory.count(Query()) == 4
    assert "matches among 4 of them" in str(directory.notice())


def test_pages_end_where_they_would_hold_up_the_server(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.operator.changelist.ROWS_REACHABLE", 100)
    name = word()
    for _ in range(102):
        begin(store, name)
    last = operator.get(LIST, {"q": name, "p": "2"})
    assert last.context["cl"].result_count == 102
    assert "Pages end after 100 rows" in last.content.decode()
    assert operator.get(LIST, {"q": name, "p": "3"})["Location"] == f"{LIST}?e=1"


def test_the_newest_come_first_however_old_they_are(store: Store, operator: Client) -> None:
    name = word()
    ages_h = (30, 0.01, 3, 0.1, 100)
    for age_h in ages_h:
        session = begin(store, f"{name} {age_h}")
        began_ms = round((time.time() - age_h * 3600) * 1000)
        store.redis.execute_command(
            "JSON.SET", f"chat:{{{session}}}:document", "$.session_start", began_ms
        )
    rows = operator.get(LIST, {"q": name}).context["cl"].result_list
    assert [row.name.split()[1] for row in rows] == [str(age_h) for age_h in sorted(ages_h)]


def test_of_a_long_talk_the_last_messages_are_searched(store: Store, operator: Client) -> None:
    early, late = word(), word()
    session = begin(store, "Ada")
    roomy = replace(LIMITS, pending=1_000)
    for text in (early, *["more"] * (SEARCHED_MESSAGES - 1), late):
        store.run(sessions.accept(session, uuid4(), text, limits=roomy))
    assert found(operator, q=late) == [session]
    assert found(operator, q=early) == []
