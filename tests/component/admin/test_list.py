"""The list of sessions over HTTP: search, filters, order, pages and counts."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.schemas import session_id
from chat.store import sessions
from chat.store.client import Store
from chat.store.inspection import State
from tests.component.admin.conftest import (
    LIST,
    Login,
    add_reply,
    begin,
    start_reply,
    text_of,
    word,
)
from tests.component.conftest import LIMITS, say

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]


def found(client: Client, **query: str) -> list[str]:
    """Return the ids of the rows shown, in order."""
    response = client.get(LIST, query)
    assert response.status_code == 200, response
    return [row.id for row in response.context["cl"].result_list]


def test_a_session_is_found_by_name_message_and_id(store: Store, operator: Client) -> None:
    name, spoken = word(), word()
    session = begin(store, f"{name} Lovelace")
    add_reply(store, session, f"I said {spoken}, twice.")
    for text in (name, name[:12].upper(), spoken, f"twice {spoken}", session, session[:10], "  "):
        assert session in found(operator, q=text), text
    assert found(operator, q=f"{name} {word()}") == []


def test_changes_are_found_at_once(store: Store, operator: Client) -> None:
    text = word()
    session = begin(store)
    assert found(operator, q=text) == []
    say(store, session, text)
    assert found(operator, q=text) == [session]
    store.run(sessions.erase(session))
    assert found(operator, q=text) == []


def test_a_search_cannot_inject_a_query(store: Store, operator: Client) -> None:
    session = begin(store, word())
    for text in ("*", '") | *', "@name:*", "-zzz", "%%%", "a]|[", "\\", "$..*", "😀", "x" * 3000):
        assert session not in found(operator, q=text), text


def test_searching_messages_needs_the_permission_to_read_them(store: Store, login: Login) -> None:
    name, text = word(), word()
    session = begin(store, name)
    say(store, session, text)
    assert found(login("view_session"), q=text) == []
    assert found(login("view_session"), q=name) == [session]
    assert found(login("view_session", "view_transcript"), q=text) == [session]


def test_the_state_filter_tells_states_apart(store: Store, operator: Client) -> None:
    name = word()
    ids = {state: begin(store, f"{name} {state}") for state in State}
    add_reply(store, ids[State.IDLE])
    add_reply(store, ids[State.FAILED], failure=ErrorCode.MODEL_TIMEOUT)
    say(store, ids[State.WAITING])
    start_reply(store, ids[State.IN_PROGRESS])
    for state, session in ids.items():
        assert found(operator, q=name, state=state) == [session]


def test_filters_on_replies(store: Store, operator: Client) -> None:
    name = word()
    failed, fine = begin(store, name), begin(store, name)
    add_reply(store, failed, failure=ErrorCode.MODEL_OVERLOADED)
    add_reply(store, failed, total_ms=16_000)
    add_reply(store, fine, total_ms=4_000)
    assert found(operator, q=name, failures="yes") == [failed]
    assert found(operator, q=name, failures="no") == [fine]
    assert found(operator, q=name, failures="model.overloaded") == [failed]
    assert found(operator, q=name, failures="model.timeout") == []
    assert found(operator, q=name, slow="15") == [failed]
    assert found(operator, q=name, slow="30") == []


def test_filters_on_times(store: Store, operator: Client) -> None:
    name = word()
    active, silent = begin(store, name), begin(store, name)
    time = add_reply(store, active).timestamp
    assert found(operator, q=name, around=f"{time:%H:%M}") == [active]
    assert found(operator, q=name, around=f"{time:%Y-%m-%d %H:%M}") == [active]
    assert found(operator, q=name, around=f"{time - timedelta(hours=1):%Y-%m-%d %H:%M}") == []
    assert set(found(operator, q=name, around="nonsense")) == {active, silent}
    assert set(found(operator, q=name, age="10")) == {active, silent}
    assert found(operator, q=name, age="-10") == []
    assert found(operator, q=name, last="10") == [active]
    assert found(operator, q=name, last="-10") == []


def test_rows_can_be_sorted(store: Store, operator: Client) -> None:
    name = word()
    first, second, third = (begin(store, f"{name} {letter}") for letter in "BAC")
    for session in (third, first, first):
        say(store, session)
    assert found(operator, q=name, o="1") == [second, first, third]
    assert found(operator, q=name, o="-1") == [third, first, second]
    assert found(operator, q=name, o="-5")[:2] == [first, third]


def test_pages_and_counts(store: Store, operator: Client) -> None:
    name = word()
    ids = {begin(store, name) for _ in range(53)}
    first = operator.get(LIST, {"q": name}).context["cl"]
    assert first.result_count == 53
    assert first.full_result_count >= 53
    assert len(first.result_list) == 50
    assert {row.id for row in first.result_list} | set(found(operator, q=name, p="2")) == ids
    assert len(found(operator, q=name, all="")) == 53


def test_counts_of_each_choice(store: Store, operator: Client) -> None:
    name = word()
    add_reply(store, begin(store, name), failure=ErrorCode.MODEL_TIMEOUT)
    say(store, begin(store, name))
    page = text_of(operator, q=name, _facets="True")
    choices = set(re.findall(r">\s*([\w .]+ \(\d+\))</a>", page))
    expected = "Failed (1),Waiting (1),Idle (0),model.timeout (1),No failures (1)"
    assert choices >= set(expected.split(","))


def test_a_row_shows_failures_sockets_and_time_left(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, f"{name} <script>alert(1)</script>")
    add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    store.run(sessions.register_socket(session, "socket", address=session, limits=LIMITS))
    page = text_of(operator, q=name)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert '<td class="field-failures">1 <span class="quiet">model.timeout</span></td>' in page
    assert '<td class="field-sockets">1</td>' in page
    assert re.search(r'<td class="field-time_left">(9 min 5\d s|10 min)', page)


def test_a_token_in_the_search_leads_to_its_session_with_a_warning(
    store: Store, operator: Client
) -> None:
    token = str(uuid4())
    begin(store, token=token)
    response = operator.get(LIST, {"q": token}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{session_id(token)}/change/", 302)]
    assert token not in response.content.decode()
    assert "You searched for a token" in response.content.decode()


def test_unknown_parameters_are_rejected_as_in_any_list(operator: Client) -> None:
    assert operator.get(LIST, {"name__contains": "x"})["Location"] == f"{LIST}?e=1"
    assert operator.get(LIST, {"state": "sleepy"}).status_code == 200
    assert operator.get(LIST, {"p": "99999"})["Location"] == f"{LIST}?e=1"


def test_the_number_of_pages_is_bounded(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.operator.changelist.MAX_PAGED_ROWS", 100)
    name = word()
    for _ in range(102):
        begin(store, name)
    last = operator.get(LIST, {"q": name, "p": "2"})
    assert last.context["cl"].result_count == 102
    assert "Only the first 100 rows can be shown" in last.content.decode()
    assert operator.get(LIST, {"q": name, "p": "3"})["Location"] == f"{LIST}?e=1"
