"""What operators do to sessions: permitted, confirmed, done, and written to Django's admin log."""

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.test import Client

from chat.errors import ErrorCode, SessionUnknown
from chat.operator.actions import ACTIONS
from chat.operator.results import ROWS_AT_MOST
from chat.store import cluster, inspection, leases, sessions
from chat.store.client import Store
from tests.component.admin.conftest import LIST, Login, answered, begin, word
from tests.component.conftest import say, take

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("indexed")]

PERMISSIONS = {
    **{act.name: f"{act.name}_session" for act in ACTIONS},
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


def log() -> list[tuple[str, int, str]]:
    entries = LogEntry.objects.order_by("id")
    return [(entry.object_id or "", entry.action_flag, entry.change_message) for entry in entries]


def test_stopping_keeps_what_is_written(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    say(store, session)
    taken = take(store, session)
    confirm(operator, "stop", session)
    held = store.run(leases.progress(session, taken.lease, taken.reply))
    assert held.stop_requested
    assert log() == [(session, CHANGE, "Stopped the reply.")]


def test_queueing_again_makes_a_waiting_message_due_now(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    say(store, session)
    store.redis.zadd("chat:due", {session: 9e15})
    confirm(operator, "requeue", session)
    assert session in store.run(cluster.sweep(500))
    assert log() == [(session, CHANGE, "Queued again.")]


def test_queueing_again_asks_again_for_a_last_reply_that_failed(
    store: Store, operator: Client
) -> None:
    session = begin(store, "Ada")
    failed = answered(store, session, "hello", failure=ErrorCode.MODEL_TIMEOUT)
    confirm(operator, "requeue", session)
    taken = take(store, session)
    assert taken.replaces == failed.id
    assert taken.message.id == failed.reply_to


def test_queueing_again_leaves_a_reply_being_written_alone(store: Store, operator: Client) -> None:
    session, idle = begin(store, "Ada"), begin(store, "Grace")
    say(store, session)
    taken = take(store, session)
    answered(store, idle, "hello")
    response = operator.post(
        LIST,
        {"action": "requeue", "_selected_action": [session, idle], "confirmed": "yes"},
        follow=True,
    )
    assert "Nothing to do, or gone: 2 sessions." in response.content.decode()
    assert log() == []
    assert not store.run(leases.progress(session, taken.lease, taken.reply)).stop_requested


def test_extending_starts_the_time_again(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    store.run(sessions.extend(session, 5))
    confirm(operator, "extend", session)
    summary = store.run(inspection.summary(session))
    assert summary is not None
    assert summary.remaining_s > 3_000


@pytest.mark.parametrize("action", ["expire", "delete"])
def test_an_ended_session_leaves_nothing(store: Store, operator: Client, action: str) -> None:
    session = begin(store, "Ada")
    answered(store, session, "hello")
    confirm(operator, action, session)
    with pytest.raises(SessionUnknown):
        store.run(sessions.load(session))
    assert list(store.redis.scan_iter(f"chat:{{{session}}}:[^r]*")) == []
    (entry,) = log()
    assert entry[:2] == (session, DELETION)


def test_many_sessions_at_once(store: Store, operator: Client) -> None:
    gone = begin(store, "Ada")
    store.run(sessions.erase(gone))
    ids = [begin(store, "Ada") for _ in range(3)]
    response = operator.post(
        LIST,
        {"action": "delete", "_selected_action": [*ids, gone], "confirmed": "yes"},
        follow=True,
    )
    assert "Deleted: 3 sessions." in response.content.decode()
    assert "Nothing to do, or gone: 1 session." in response.content.decode()
    assert sorted(entry[0] for entry in log()) == sorted(ids)


@pytest.mark.parametrize("action", PERMISSIONS)
def test_nothing_happens_before_it_is_confirmed(
    store: Store, operator: Client, action: str
) -> None:
    session = begin(store, "Ada <b>")
    answered(store, session, "hello", failure=ErrorCode.MODEL_TIMEOUT)
    response = ask(operator, action, session)
    page = response.content.decode()
    assert response.status_code == 200
    assert "Ada &lt;b&gt;" in page
    assert 'name="confirmed"' in page
    summary = store.run(inspection.summary(session))
    assert summary is not None
    assert summary.state is inspection.State.FAILED
    assert summary.remaining_s <= 600
    assert log() == []


@pytest.mark.parametrize("action", PERMISSIONS)
def test_each_action_needs_its_own_permission(store: Store, login: Login, action: str) -> None:
    session = begin(store, "Ada")
    answered(store, session, "hello", failure=ErrorCode.MODEL_TIMEOUT)
    others = {"view_transcript", *PERMISSIONS.values()} - {PERMISSIONS[action]}
    client = login("view_session", *others)
    assert PERMISSIONS[action].split("_")[0] not in offered(client, session)
    response = confirm(client, action, session)
    assert response.get("Content-Disposition") is None
    summary = store.run(inspection.summary(session))
    assert summary is not None
    assert summary.state is inspection.State.FAILED
    assert summary.remaining_s <= 600
    assert log() == []


def offered(client: Client, session: str) -> set[str]:
    """Return the first words of the actions the list and the session's page offer."""
    pages = [client.get(LIST).content.decode()]
    pages.append(client.get(f"{LIST}{session}/change/").content.decode())
    listed = re.findall(r'<option value="(\w+)"', pages[0])
    buttons = re.findall(r'name="action" value="(\w+)"', pages[1])
    assert set(listed) == set(buttons)
    return {action.split("_")[0] for action in listed}


def test_view_only_staff_see_no_action(store: Store, login: Login) -> None:
    session = begin(store, "Ada")
    assert offered(login("view_session", "view_transcript"), session) == set()
    assert offered(login(), session) == {"stop", "requeue", "extend", "expire", "delete", "export"}


def test_exporting_needs_the_right_to_read(store: Store, login: Login) -> None:
    session = begin(store, "Ada")
    assert "export" not in offered(login("view_session", "export_session"), session)


def test_export_as_json_holds_every_message(store: Store, operator: Client) -> None:
    ids = [begin(store, "Ada"), begin(store, "Grace")]
    for session in ids:
        answered(store, session, "Grüße <b>")
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


def test_export_as_markdown_reads_like_the_talk(store: Store, operator: Client) -> None:
    session = begin(store, "Ada\n# not a chapter")
    answered(store, session, "two\nlines")
    answered(store, session, "more", failure=ErrorCode.MODEL_TIMEOUT)
    text = confirm(operator, "export_markdown", session).content.decode()
    assert text.startswith("# Ada # not a chapter\n")
    assert "> two\n> lines\n" in text
    assert "failed: model.timeout" in text
    assert "> The model did not answer." in text


def test_no_transcript_and_no_name_comes_into_sql(store: Store, operator: Client) -> None:
    name = word()
    session = begin(store, name)
    answered(store, session, name)
    for action in PERMISSIONS:
        confirm(operator, action, session)
    logged = str(list(LogEntry.objects.values()))
    assert session in logged
    assert name not in logged


def test_from_a_sessions_page_one_comes_back_to_it(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    assert 'name="from_page"' in ask(operator, "extend", session, from_page="yes").content.decode()
    back = confirm(operator, "extend", session, from_page="yes")
    assert back["Location"] == f"{LIST}{session}/change/"
    history = operator.get(f"{LIST}{session}/history/").content.decode()
    assert "Extended." in history
    assert confirm(operator, "delete", session, from_page="yes")["Location"] == LIST


def test_all_rows_of_a_filtered_list_can_be_chosen(store: Store, operator: Client) -> None:
    name = word()
    ids = {begin(store, name) for _ in range(60)}
    fields = {"action": "delete", "_selected_action": min(ids), "select_across": "1", "index": "0"}
    page = operator.post(f"{LIST}?q={name}", fields).content.decode()
    assert set(re.findall(r'name="_selected_action" value="(\w+)"', page)) == ids


def test_no_more_than_a_thousand_at_a_time(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ROWS_AT_MOST == 1_000
    monkeypatch.setattr("chat.operator.confirmation.ROWS_AT_MOST", 2)
    name = word()
    ids = [begin(store, name) for _ in range(3)]
    fields = {"action": "delete", "_selected_action": ids[0], "select_across": "1", "index": "0"}
    response = operator.post(f"{LIST}?q={name}", fields, follow=True)
    assert "At most 2 sessions at a time" in response.content.decode()
    assert all(store.run(inspection.summary(each)) for each in ids)


def test_ids_that_are_none_are_left_alone(store: Store, operator: Client) -> None:
    assert ask(operator, "delete", "*", "..", "x} | *").status_code == 302
    assert log() == []


def test_stopping_what_no_worker_writes_settles_it(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    say(store, session)
    confirm(operator, "stop", session)
    read = store.run(sessions.load(session))
    assert read.pending == ()
    assert read.messages[-1].finish_reason == "stop_requested"
