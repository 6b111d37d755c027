"""Actions on sessions: permitted, confirmed, applied, and written to Django's admin log."""

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
from chat.store import cluster, sessions
from chat.store.client import Store
from chat.store.inspection import State
from tests.component.admin.conftest import (
    LIST,
    Login,
    add_reply,
    begin,
    load_summary,
    start_reply,
    text_of,
    word,
)
from tests.component.conftest import say, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]

PERMISSIONS = {
    **{action.name: f"{action.name}_session" for action in ACTIONS},
    "export_json": "export_session",
    "export_markdown": "export_session",
}


def ask(client: Client, action: str, *ids: str, **fields: str) -> Any:
    """Choose an action for these sessions, without confirming it."""
    return client.post(LIST, {"action": action, "_selected_action": list(ids)} | fields)


def confirm(client: Client, action: str, *ids: str, **fields: str) -> Any:
    response = ask(client, action, *ids, confirmed="yes", **fields)
    assert response.status_code in (200, 302), response
    return response


def select_all(client: Client, query: str, session: str) -> str:
    """Choose to delete all sessions that a search finds; return the next page's HTML."""
    fields = {"action": "delete", "_selected_action": session, "select_across": "1", "index": "0"}
    return str(client.post(f"{LIST}?q={query}", fields, follow=True).content.decode())


def log() -> list[tuple[str, int, str]]:
    entries = LogEntry.objects.order_by("id")
    return [(entry.object_id or "", entry.action_flag, entry.change_message) for entry in entries]


@pytest.fixture
def failed(store: Store) -> str:
    """A session whose last reply failed."""
    session = begin(store, "Ada <b>")
    add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    return session


def assert_unchanged(store: Store, failed: str) -> None:
    summary = load_summary(store, failed)
    assert summary.state is State.FAILED
    assert summary.remaining_s <= 600
    assert log() == []


def test_stopping_keeps_the_partial_reply(store: Store, operator: Client) -> None:
    session = begin(store)
    add_text = start_reply(store, session, "So far")
    confirm(operator, "stop", session)
    assert add_text().stop_requested
    assert log() == [(session, CHANGE, "Stopped the reply.")]


def test_stopping_a_reply_that_no_worker_has_commits_it(store: Store, operator: Client) -> None:
    session = begin(store)
    say(store, session)
    confirm(operator, "stop", session)
    stopped = store.run(sessions.load(session))
    assert stopped.pending == ()
    assert stopped.messages[-1].finish_reason == "stop_requested"


def test_queueing_again_makes_a_waiting_message_due_now(store: Store, operator: Client) -> None:
    session = begin(store)
    say(store, session)
    store.redis.zadd("chat:due", {session: 9e15})
    confirm(operator, "requeue", session)
    assert session in store.run(cluster.sweep(500))
    assert log() == [(session, CHANGE, "Queued again.")]


def test_queueing_again_retries_a_failed_last_reply(store: Store, operator: Client) -> None:
    session = begin(store)
    reply = add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    confirm(operator, "requeue", session)
    taken = take(store, session)
    assert taken.replaces == reply.id
    assert taken.message.id == reply.reply_to


def test_queueing_again_does_not_touch_a_reply_in_progress(store: Store, operator: Client) -> None:
    session, idle = begin(store), begin(store)
    add_text = start_reply(store, session)
    add_reply(store, idle)
    confirm(operator, "requeue", session, idle)
    assert "Nothing to do, or session no longer exists: 2 sessions." in text_of(operator)
    assert log() == []
    assert not add_text().stop_requested


def test_extending_restarts_the_lifetime(store: Store, operator: Client) -> None:
    session = begin(store)
    store.run(sessions.extend(session, 5))
    confirm(operator, "extend", session)
    assert load_summary(store, session).remaining_s > 3_000


@pytest.mark.parametrize("action", ["expire", "delete"])
def test_an_ended_session_leaves_nothing(store: Store, operator: Client, action: str) -> None:
    session = begin(store)
    add_reply(store, session)
    confirm(operator, action, session)
    with pytest.raises(SessionUnknown):
        store.run(sessions.load(session))
    assert list(store.redis.scan_iter(f"chat:{{{session}}}:[^r]*")) == []
    (entry,) = log()
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
    session, gone = begin(store), begin(store)
    store.run(sessions.erase(gone))
    for _ in range(2):
        say(store, session)
    confirm(operator, action, session, gone)
    assert published == [session]
    assert enqueued == ([session] if is_enqueued else [])


def test_a_requeue_without_a_broker_is_left_to_the_sweep(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(session: str) -> None:
        raise OperationalError

    monkeypatch.setattr("chat.operator.actions.enqueue_answer", fail)
    session = begin(store)
    say(store, session)
    confirm(operator, "requeue", session)
    assert "The broker is unavailable" in caplog.text
    assert log() == [(session, CHANGE, "Queued again.")]


def test_many_sessions_at_once(store: Store, operator: Client) -> None:
    gone, *ids = (begin(store) for _ in range(4))
    store.run(sessions.erase(gone))
    confirm(operator, "delete", *ids, gone)
    page = text_of(operator)
    assert "Deleted: 3 sessions." in page
    assert "Nothing to do, or session no longer exists: 1 session." in page
    assert sorted(entry[0] for entry in log()) == sorted(ids)


@pytest.mark.parametrize("action", PERMISSIONS)
def test_nothing_happens_before_it_is_confirmed(
    store: Store, operator: Client, failed: str, action: str
) -> None:
    response = ask(operator, action, failed)
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
    assert action not in offered(client, failed)
    assert confirm(client, action, failed).get("Content-Disposition") is None
    assert_unchanged(store, failed)


def offered(client: Client, session: str) -> set[str]:
    """Return the actions that the list and the session's page offer."""
    listed = set(re.findall(r'<option value="(\w+)"', text_of(client)))
    buttons = re.findall(r'name="action" value="(\w+)"', text_of(client, f"{session}/change/"))
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
            {"export_json", "export_markdown"},
        ),
    ],
)
def test_only_permitted_actions_are_offered(
    store: Store, login: Login, permissions: tuple[str, ...], actions: set[str]
) -> None:
    assert offered(login(*permissions), begin(store)) == actions


def test_an_action_needs_a_csrf_token(store: Store, operator: Client, failed: str) -> None:
    operator.handler.enforce_csrf_checks = True
    for action in PERMISSIONS:
        assert ask(operator, action, failed, confirmed="yes").status_code == 403
    assert_unchanged(store, failed)


def test_export_as_json_holds_every_message(store: Store, operator: Client) -> None:
    ids = [begin(store, "Ada"), begin(store, "Grace")]
    for session in ids:
        add_reply(store, session, "Grüße <b>")
    response = confirm(operator, "export_json", *ids)
    assert response["Content-Type"] == "application/json"
    assert "attachment" in response["Content-Disposition"]
    exported = json.loads(response.content)
    assert [each["id"] for each in exported] == ids
    assert [message["msg"] for message in exported[0]["messages"]] == [
        "Grüße <b>",
        "About Grüße <b>",
    ]
    assert exported[0]["messages"][1]["record"]["worker"] == "host:7"
    assert [entry[2] for entry in log()] == ["Exported as json."] * 2


def test_export_as_markdown_is_a_readable_transcript(store: Store, operator: Client) -> None:
    session = begin(store, "Ada\n# not a heading")
    add_reply(store, session, "two\nlines")
    add_reply(store, session, "more", failure=ErrorCode.MODEL_TIMEOUT)
    text = confirm(operator, "export_markdown", session).content.decode()
    assert text.startswith("# Ada # not a heading\n")
    assert "> two\n> lines\n" in text
    assert "failed: model.timeout" in text
    assert "> The model did not answer." in text


def test_no_text_and_no_name_is_written_to_sql(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, name)
    add_reply(store, session, name)
    for action in PERMISSIONS:
        confirm(operator, action, session)
    assert {entry.object_repr for entry in LogEntry.objects.all()} == {session}
    assert name not in str(list(LogEntry.objects.values()))


def test_an_action_from_a_sessions_page_leads_back_to_it(store: Store, operator: Client) -> None:
    session = begin(store)
    assert 'name="from_page"' in ask(operator, "extend", session, from_page="yes").content.decode()
    back = confirm(operator, "extend", session, from_page="yes")
    assert back["Location"] == f"{LIST}{session}/change/"
    assert "Extended." in text_of(operator, f"{session}/history/")
    assert confirm(operator, "delete", session, from_page="yes")["Location"] == LIST


def test_all_rows_of_a_filtered_list_can_be_selected(store: Store, operator: Client) -> None:
    name = word()
    ids = {begin(store, name) for _ in range(60)}
    page = select_all(operator, name, min(ids))
    assert set(re.findall(r'name="_selected_action" value="(\w+)"', page)) == ids
    assert "and 40 more" in page


def test_the_number_of_selected_rows_is_bounded(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_ROWS == 1_000
    monkeypatch.setattr("chat.operator.confirmation.MAX_ROWS", 2)
    name = word()
    ids = [begin(store, name) for _ in range(3)]
    assert "At most 2 sessions can be selected" in select_all(operator, name, ids[0])
    assert all(load_summary(store, each) for each in ids)


def test_invalid_ids_are_ignored(operator: Client) -> None:
    assert ask(operator, "delete", "*", "..", "x} | *").status_code == 302
    assert log() == []
