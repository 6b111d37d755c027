"""Actions on sessions: permitted, confirmed, applied, and recorded in Django's admin log."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.test import Client
from kombu.exceptions import OperationalError

from chat.errors import ErrorCode, SessionUnknown
from chat.operator.actions import ACTIONS
from chat.operator.changelist import MAX_ROWS
from chat.store import sessions
from chat.store.client import Store
from chat.store.operation import cluster
from chat.store.operation.inspection import State
from tests.component.admin.conftest import (
    LIST,
    Login,
    add_reply,
    get_html,
    load_summary,
    start_reply,
    unique_word,
)
from tests.component.conftest import create_session, send_message, take_message

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]

EXPORTS = ("export_json", "export_markdown", "export_ratings", "export_all")
PERMISSIONS = {
    **{action.name: f"{action.name}_session" for action in ACTIONS},
    **dict.fromkeys(EXPORTS, "export_session"),
}


def post_action(client: Client, action: str, *ids: str, **fields: str) -> Any:
    """Choose an action for these sessions, without confirming it."""
    return client.post(LIST, {"action": action, "_selected_action": list(ids)} | fields)


def post_confirmed(client: Client, action: str, *ids: str, **fields: str) -> Any:
    response = post_action(client, action, *ids, confirmed="yes", **fields)
    assert response.status_code in (200, 302), response
    return response


def select_all(client: Client, query: str, session: str) -> str:
    """Choose to delete all sessions that a search finds; return the next page's HTML."""
    fields = {"action": "delete", "_selected_action": session, "select_across": "1", "index": "0"}
    return str(client.post(f"{LIST}?q={query}", fields, follow=True).content.decode())


def log_entries() -> list[tuple[str, int, str]]:
    entries = LogEntry.objects.order_by("id")
    return [(entry.object_id or "", entry.action_flag, entry.change_message) for entry in entries]


@pytest.fixture
def failed(store: Store) -> str:
    """A session whose last reply failed."""
    session = create_session(store, "Ada <b>")
    add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    return session


def assert_unchanged(store: Store, failed: str) -> None:
    summary = load_summary(store, failed)
    assert summary.state is State.FAILED
    assert summary.remaining_s <= 600
    assert log_entries() == []


def test_stopping_keeps_the_partial_reply(store: Store, operator: Client) -> None:
    session = create_session(store)
    add_text = start_reply(store, session, "So far")
    post_confirmed(operator, "stop", session)
    assert add_text().stop_requested
    assert log_entries() == [(session, CHANGE, "Stopped the reply.")]


def test_stopping_a_reply_that_no_worker_has_commits_it(store: Store, operator: Client) -> None:
    session = create_session(store)
    send_message(store, session)
    post_confirmed(operator, "stop", session)
    stopped = store.run(sessions.load(session))
    assert stopped.pending == ()
    assert stopped.messages[-1].finish_reason == "stop_requested"


def test_queueing_again_makes_a_waiting_message_due_now(store: Store, operator: Client) -> None:
    session = create_session(store)
    send_message(store, session)
    store.redis.zadd("chat:due", {session: 9e15})
    post_confirmed(operator, "requeue", session)
    assert session in store.run(cluster.sweep(500)).sessions
    assert log_entries() == [(session, CHANGE, "Queued again.")]


def test_queueing_again_retries_a_failed_last_reply(store: Store, operator: Client) -> None:
    session = create_session(store)
    reply = add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    post_confirmed(operator, "requeue", session)
    taken = take_message(store, session)
    assert taken.replaces == reply.id
    assert taken.message.id == reply.reply_to


def test_queueing_again_does_not_change_a_reply_in_progress(store: Store, operator: Client) -> None:
    session, idle = create_session(store), create_session(store)
    add_text = start_reply(store, session)
    add_reply(store, idle)
    post_confirmed(operator, "requeue", session, idle)
    assert "Nothing to do, or session no longer exists: 2 sessions." in get_html(operator)
    assert log_entries() == []
    assert not add_text().stop_requested


def test_extending_restarts_the_lifetime(store: Store, operator: Client) -> None:
    session = create_session(store)
    store.run(sessions.extend(session, 5))
    post_confirmed(operator, "extend", session)
    assert load_summary(store, session).remaining_s > 3_000


@pytest.mark.parametrize("action", ["expire", "delete"])
def test_an_ended_session_has_no_keys_left(store: Store, operator: Client, action: str) -> None:
    session = create_session(store)
    add_reply(store, session)
    post_confirmed(operator, action, session)
    with pytest.raises(SessionUnknown):
        store.run(sessions.load(session))
    assert list(store.redis.scan_iter(f"chat:{{{session}}}:[^r]*")) == []
    (entry,) = log_entries()
    assert entry[:2] == (session, DELETION)


@pytest.mark.parametrize(
    ("action", "is_enqueued"),
    [("stop", True), ("requeue", True), ("extend", False), ("expire", False), ("delete", False)],
)
def test_a_change_is_published_once(
    store: Store,
    operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    is_enqueued: bool,
) -> None:
    published: list[str] = []
    enqueued: list[str] = []
    delivery = SimpleNamespace(publish_change=published.append)
    monkeypatch.setattr("chat.operator.actions.delivery", lambda: delivery)
    monkeypatch.setattr("chat.operator.actions.enqueue_answer", enqueued.append)
    session, erased = create_session(store), create_session(store)
    store.run(sessions.erase(erased))
    for _ in range(2):
        send_message(store, session)
    post_confirmed(operator, action, session, erased)
    assert published == [session]
    assert enqueued == ([session] if is_enqueued else [])


def test_without_a_broker_a_requeued_message_is_left_to_the_sweep(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(session: str) -> None:
        raise OperationalError

    monkeypatch.setattr("chat.operator.actions.enqueue_answer", fail)
    session = create_session(store)
    send_message(store, session)
    post_confirmed(operator, "requeue", session)
    assert "The broker is unavailable" in caplog.text
    assert log_entries() == [(session, CHANGE, "Queued again.")]


def test_an_action_applies_to_many_sessions(store: Store, operator: Client) -> None:
    erased, *ids = (create_session(store) for _ in range(4))
    store.run(sessions.erase(erased))
    post_confirmed(operator, "delete", *ids, erased)
    page = get_html(operator)
    assert "Deleted: 3 sessions." in page
    assert "Nothing to do, or session no longer exists: 1 session." in page
    assert sorted(entry[0] for entry in log_entries()) == sorted(ids)


@pytest.mark.parametrize("action", PERMISSIONS)
def test_an_unconfirmed_action_changes_nothing(
    store: Store, operator: Client, failed: str, action: str
) -> None:
    response = post_action(operator, action, failed)
    assert response.status_code == 200
    page = response.content.decode()
    assert "Ada &lt;b&gt;" in page
    assert "<h2>1 session</h2>" in page
    assert 'name="confirmed"' in page
    assert_unchanged(store, failed)


@pytest.mark.parametrize("action", PERMISSIONS)
def test_each_action_needs_its_own_permission(
    store: Store, login: Login, failed: str, action: str
) -> None:
    others = {"view_transcript", *PERMISSIONS.values()} - {PERMISSIONS[action]}
    client = login("view_session", *others)
    assert action not in offered_actions(client, failed)
    assert post_confirmed(client, action, failed).get("Content-Disposition") is None
    assert_unchanged(store, failed)


def offered_actions(client: Client, session: str) -> set[str]:
    """Return the actions that the list and the session's page offer."""
    listed = set(re.findall(r'<option value="(\w+)"', get_html(client)))
    buttons = re.findall(r'name="action" value="(\w+)"', get_html(client, f"{session}/change/"))
    assert listed == set(buttons)
    return listed


@pytest.mark.parametrize(
    ("permissions", "actions"),
    [
        ((), set(PERMISSIONS)),
        (("view_session", "view_transcript"), set()),
        (("view_session", "export_session"), set()),
        (
            ("view_session", "export_session", "view_transcript"),
            set(EXPORTS),
        ),
    ],
)
def test_only_permitted_actions_are_offered(
    store: Store, login: Login, permissions: tuple[str, ...], actions: set[str]
) -> None:
    assert offered_actions(login(*permissions), create_session(store)) == actions


def test_an_action_needs_a_csrf_token(store: Store, operator: Client, failed: str) -> None:
    operator.handler.enforce_csrf_checks = True
    for action in PERMISSIONS:
        assert post_action(operator, action, failed, confirmed="yes").status_code == 403
    assert_unchanged(store, failed)


def test_export_as_json_contains_every_message(store: Store, operator: Client) -> None:
    ids = [create_session(store, "Ada"), create_session(store, "Grace")]
    for session in ids:
        add_reply(store, session, "Grüße <b>")
    response = post_confirmed(operator, "export_json", *ids)
    assert response["Content-Type"] == "application/json"
    assert "attachment" in response["Content-Disposition"]
    exported = json.loads(response.content)
    assert [each["id"] for each in exported] == ids
    assert [message["msg"] for message in exported[0]["messages"]] == [
        "Grüße <b>",
        "About Grüße <b>",
    ]
    assert exported[0]["messages"][1]["record"]["worker"] == "host:7"
    assert [entry[2] for entry in log_entries()] == ["Exported as JSON."] * 2


def test_export_as_markdown_is_a_readable_transcript(store: Store, operator: Client) -> None:
    session = create_session(store, "Ada\n# not a heading")
    add_reply(store, session, "two\nlines")
    add_reply(store, session, "more", failure=ErrorCode.MODEL_TIMEOUT)
    text = post_confirmed(operator, "export_markdown", session).content.decode()
    assert text.startswith("# Ada # not a heading\n")
    assert "> two\n> lines\n" in text
    assert "failed: model.timeout" in text
    assert "> The model did not answer." in text


def test_messages_and_names_are_not_written_to_the_sql_database(
    store: Store, operator: Client
) -> None:
    name = unique_word()
    session = create_session(store, name)
    add_reply(store, session, name)
    for action in PERMISSIONS:
        post_confirmed(operator, action, session)
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {session}
    assert name not in str(list(LogEntry.objects.values()))


def test_an_action_from_a_sessions_page_redirects_back_to_it(
    store: Store, operator: Client
) -> None:
    session = create_session(store)
    assert (
        'name="from_page"'
        in post_action(operator, "extend", session, from_page="yes").content.decode()
    )
    response = post_confirmed(operator, "extend", session, from_page="yes")
    assert response["Location"] == f"{LIST}{session}/change/"
    assert "Extended." in get_html(operator, f"{session}/history/")
    assert post_confirmed(operator, "delete", session, from_page="yes")["Location"] == LIST


def test_all_rows_of_a_filtered_list_can_be_selected(store: Store, operator: Client) -> None:
    name = unique_word()
    ids = {create_session(store, name) for _ in range(60)}
    page = select_all(operator, name, min(ids))
    assert set(re.findall(r'name="_selected_action" value="(\w+)"', page)) == ids
    assert "and 40 more" in page


def test_the_number_of_selected_rows_is_bounded(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_ROWS == 1_000
    monkeypatch.setattr("chat.operator.confirmation.MAX_ROWS", 2)
    name = unique_word()
    ids = [create_session(store, name) for _ in range(3)]
    assert "At most 2 sessions can be selected" in select_all(operator, name, ids[0])
    assert all(load_summary(store, each) for each in ids)


def test_invalid_ids_are_ignored(operator: Client) -> None:
    assert post_action(operator, "delete", "*", "..", "x} | *").status_code == 302
    assert log_entries() == []
