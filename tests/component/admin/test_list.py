"""The session list over HTTP: search, filters, order, pages and counts."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.schemas import session_id
from chat.store import sessions
from chat.store.client import Store
from chat.store.operation.inspection import State
from tests.component.admin.conftest import (
    LIST,
    Login,
    add_reply,
    get_html,
    start_reply,
    unique_word,
)
from tests.component.conftest import LIMITS, create_session, send_message

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]


def test_an_old_name_cannot_reorder_a_page(operator: Client, store: Store) -> None:
    """New names with such characters are rejected; the document of an old one may have them."""
    session = create_session(store, f"Ada\u202e{unique_word()}\x1b[2J")
    for html in (get_html(operator, q=session), get_html(operator, f"{session}/change/")):
        assert "Ada\\u202e" in html
        assert "\u202e" not in html
        assert "\x1b" not in html


def list_ids(client: Client, **query: str) -> list[str]:
    """Return the ids of the rows shown, in order."""
    response = client.get(LIST, query)
    assert response.status_code == 200, response
    return [row.id for row in response.context["cl"].result_list]


def test_a_session_is_found_by_name_message_and_id(store: Store, operator: Client) -> None:
    name, text = unique_word(), unique_word()
    session = create_session(store, f"{name} Lovelace")
    add_reply(store, session, f"I said {text}, twice.")
    for query in (name, name[:12].upper(), text, f"twice {text}", session, session[:10], "  "):
        assert session in list_ids(operator, q=query), query
    assert list_ids(operator, q=f"{name} {unique_word()}") == []


def test_changes_are_indexed_at_once(store: Store, operator: Client) -> None:
    text = unique_word()
    session = create_session(store)
    assert list_ids(operator, q=text) == []
    send_message(store, session, text)
    assert list_ids(operator, q=text) == [session]
    store.run(sessions.erase(session))
    assert list_ids(operator, q=text) == []


def test_a_search_cannot_inject_a_query(store: Store, operator: Client) -> None:
    session = create_session(store, unique_word())
    for text in ("*", '") | *', "@name:*", "-zzz", "%%%", "a]|[", "\\", "$..*", "😀", "x" * 3000):
        assert session not in list_ids(operator, q=text), text


def test_searching_messages_needs_the_permission_to_read_them(store: Store, login: Login) -> None:
    name, text = unique_word(), unique_word()
    session = create_session(store, name)
    send_message(store, session, text)
    assert list_ids(login("view_session"), q=text) == []
    assert list_ids(login("view_session"), q=name) == [session]
    assert list_ids(login("view_session", "view_transcript"), q=text) == [session]


def test_the_state_filter_distinguishes_states(store: Store, operator: Client) -> None:
    name = unique_word()
    ids = {state: create_session(store, f"{name} {state}") for state in State}
    add_reply(store, ids[State.IDLE])
    add_reply(store, ids[State.FAILED], failure=ErrorCode.MODEL_TIMEOUT)
    send_message(store, ids[State.WAITING])
    start_reply(store, ids[State.IN_PROGRESS])
    for state, session in ids.items():
        assert list_ids(operator, q=name, state=state) == [session]


def test_sessions_are_filtered_by_failures_and_durations(store: Store, operator: Client) -> None:
    name = unique_word()
    failed, successful = create_session(store, name), create_session(store, name)
    add_reply(store, failed, failure=ErrorCode.MODEL_OVERLOADED)
    add_reply(store, failed, total_ms=16_000)
    add_reply(store, successful, total_ms=4_000)
    assert list_ids(operator, q=name, failures="yes") == [failed]
    assert list_ids(operator, q=name, failures="no") == [successful]
    assert list_ids(operator, q=name, failures="model.overloaded") == [failed]
    assert list_ids(operator, q=name, failures="model.timeout") == []
    assert list_ids(operator, q=name, slow="15") == [failed]
    assert list_ids(operator, q=name, slow="30") == []


def test_sessions_are_filtered_by_times(store: Store, operator: Client) -> None:
    name = unique_word()
    active, inactive = create_session(store, name), create_session(store, name)
    time = add_reply(store, active).timestamp
    assert list_ids(operator, q=name, around=f"{time:%H:%M}") == [active]
    assert list_ids(operator, q=name, around=f"{time:%Y-%m-%d %H:%M}") == [active]
    assert list_ids(operator, q=name, around=f"{time - timedelta(hours=1):%Y-%m-%d %H:%M}") == []
    assert set(list_ids(operator, q=name, around="nonsense")) == {active, inactive}
    assert set(list_ids(operator, q=name, age="10")) == {active, inactive}
    assert list_ids(operator, q=name, age="-10") == []
    assert list_ids(operator, q=name, last="10") == [active]
    assert list_ids(operator, q=name, last="-10") == []


def test_rows_can_be_sorted(store: Store, operator: Client) -> None:
    name = unique_word()
    first, second, third = (create_session(store, f"{name} {letter}") for letter in "BAC")
    for session in (third, first, first):
        send_message(store, session)
    assert list_ids(operator, q=name, o="1") == [second, first, third]
    assert list_ids(operator, q=name, o="-1") == [third, first, second]
    assert list_ids(operator, q=name, o="-5")[:2] == [first, third]


def test_the_list_is_paginated_and_counted(store: Store, operator: Client) -> None:
    name = unique_word()
    ids = {create_session(store, name) for _ in range(53)}
    first = operator.get(LIST, {"q": name}).context["cl"]
    assert first.result_count == 53
    assert first.full_result_count >= 53
    assert len(first.result_list) == 50
    assert {row.id for row in first.result_list} | set(list_ids(operator, q=name, p="2")) == ids
    assert len(list_ids(operator, q=name, all="")) == 53


def test_each_filter_choice_shows_its_count(store: Store, operator: Client) -> None:
    name = unique_word()
    add_reply(store, create_session(store, name), failure=ErrorCode.MODEL_TIMEOUT)
    send_message(store, create_session(store, name))
    page = get_html(operator, q=name, _facets="True")
    choices = set(re.findall(r">\s*([\w .]+ \(\d+\))</a>", page))
    expected = "Failed (1),Waiting (1),Idle (0),model.timeout (1),No failures (1)"
    assert choices >= set(expected.split(","))


def test_empty_sessions_are_hidden_unless_asked_for(store: Store, operator: Client) -> None:
    empty, used = create_session(store), create_session(store)
    send_message(store, used)

    def is_listed(session: str, **query: str) -> bool:
        return session in list_ids(operator, all="", **query)

    assert is_listed(used)
    assert not is_listed(empty)
    assert is_listed(empty, messages="none")
    assert not is_listed(used, messages="none")
    assert is_listed(empty, messages="any")
    assert is_listed(empty, q=empty[:12])


def test_the_first_message_needs_the_permission_to_read_transcripts(
    store: Store, operator: Client, login: Login
) -> None:
    name, text = unique_word(), unique_word()
    session = create_session(store, name)
    send_message(store, session, f"{text} <b>?")
    send_message(store, session, "the second one")

    assert f'<td class="field-first_message">{text} &lt;b&gt;?</td>' in get_html(operator, q=name)
    assert text not in get_html(login("view_session"), q=name)


def test_times_are_in_the_zone_of_the_browser(store: Store, operator: Client) -> None:
    name = unique_word()
    add_reply(store, create_session(store, name))
    assert "Times in UTC" in get_html(operator, q=name)

    operator.cookies["timezone"] = "Asia/Tokyo"
    page = get_html(operator, q=name)
    assert "Times in Asia/Tokyo" in page
    assert re.search(r'<time datetime="[^"]*\+09:00"', page)

    operator.cookies["timezone"] = "../../etc/passwd"
    assert "Times in UTC" in get_html(operator, q=name)


def test_a_row_shows_failures_sockets_and_time_left(store: Store, operator: Client) -> None:
    name = unique_word()
    session = create_session(store, f"{name} <script>alert(1)</script>")
    add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    store.run(sessions.register_socket(session, "socket", address=session, limits=LIMITS))
    page = get_html(operator, q=name)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert '<td class="field-failures">1 <span class="quiet">model.timeout</span></td>' in page
    assert '<td class="field-sockets">1</td>' in page
    assert re.search(r'<td class="field-time_left">(9 min 5\d s|10 min)', page)


def test_searching_for_a_token_redirects_to_its_session_with_a_warning(
    store: Store, operator: Client
) -> None:
    token = str(uuid4())
    create_session(store, token=token)
    response = operator.get(LIST, {"q": token}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{session_id(token)}/change/", 302)]
    assert token not in response.content.decode()
    assert "You searched for a token" in response.content.decode()


def test_unknown_parameters_redirect_to_the_error_list(operator: Client) -> None:
    assert operator.get(LIST, {"name__contains": "x"})["Location"] == f"{LIST}?e=1"
    assert operator.get(LIST, {"state": "sleepy"}).status_code == 200
    assert operator.get(LIST, {"messages": "any", "p": "99999"})["Location"] == f"{LIST}?e=1"


def test_the_number_of_pages_is_bounded(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.operator.changelist.MAX_PAGED_ROWS", 100)
    name = unique_word()
    for _ in range(102):
        create_session(store, name)
    last = operator.get(LIST, {"q": name, "p": "2"})
    assert last.context["cl"].result_count == 102
    assert "Only the first 100 rows can be shown" in last.content.decode()
    assert operator.get(LIST, {"q": name, "p": "3"})["Location"] == f"{LIST}?e=1"
