"""The audit log: who read, searched, exported and deleted what; and everything about a session."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chat.accounts import audit
from chat.models import AuditEntry
from chat.privacy.dossier import load_dossier
from chat.privacy.retention import kept_data
from chat.schemas import session_id
from chat.store import sessions
from chat.store.client import Store
from tests.component.admin.conftest import Login, add_reply, get_html
from tests.component.admin.test_actions import post_confirmed
from tests.component.conftest import LIMITS, create_session
from tests.component.conftest import send_message as send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]
AUDIT = "/admin/chat/auditentry/"


def entries() -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.exclude(action="logged_in").order_by("id")
    return [(entry.action, entry.session, entry.detail) for entry in found]


@pytest.fixture
def secret(store: Store) -> str:
    """A session with a name and a text."""
    session = create_session(store, "Secretname")
    add_reply(store, session, "secrettext")
    return session


def test_reading_a_transcript_is_recorded_once(operator: Client, secret: str) -> None:
    for _ in range(2):
        get_html(operator, f"{secret}/change/")
    assert entries() == [("read", secret, "")]
    AuditEntry.objects.update(at=timezone.now() - audit.READING)
    get_html(operator, f"{secret}/change/")
    assert len(entries()) == 2


def test_new_text_on_an_open_page_is_read(store: Store, operator: Client, secret: str) -> None:
    live = f"/admin/chat/session/{secret}/live/"
    parts = operator.get(live).json()
    assert entries() == [("read", secret, "")]
    AuditEntry.objects.update(at=timezone.now() - audit.READING)
    versions = {name: part["version"] for name, part in parts.items()}
    assert operator.get(live, versions).json() == {}
    assert len(entries()) == 1
    add_reply(store, secret, "moretext")
    assert operator.get(live, versions).json()
    assert len(entries()) == 2


def test_who_sees_no_text_reads_nothing(login: Login, secret: str) -> None:
    client = login("view_session")
    get_html(client, f"{secret}/change/")
    assert client.get(f"/admin/chat/session/{secret}/live/").json()
    get_html(client)
    assert entries() == []
    get_html(client, q="Secretname")
    assert entries() == [("searched", "", "in names")]


def test_searching_by_text_is_recorded_without_the_text(operator: Client) -> None:
    get_html(operator, q="secrettext")
    get_html(operator)
    assert entries() == [("searched", "", "in names and messages"), ("listed", "", "")]


def test_actions_are_recorded_with_user_and_address(operator: Client, secret: str) -> None:
    post_confirmed(operator, "extend", secret)
    post_confirmed(operator, "export_json", secret)
    post_confirmed(operator, "delete", secret)
    assert entries() == [
        ("changed", secret, "Extended"),
        ("exported", secret, "Exported as JSON"),
        ("deleted", secret, "Deleted"),
    ]
    entry = AuditEntry.objects.latest("id")
    assert entry.user.startswith("user-")
    assert entry.address == "127.0.0.1"


def test_the_log_can_be_read_and_filtered_but_not_changed(
    operator: Client, login: Login, secret: str
) -> None:
    audit.write("ada", "192.0.2.1", audit.Action.READ, [secret])
    audit.write("bob", "192.0.2.2", audit.Action.DELETED, ["0" * 32], "Deleted")
    html = operator.get(AUDIT).content.decode()
    assert "ada" in html and "bob" in html  # noqa: PT018
    assert f"/admin/chat/session/{secret}/change/" in html
    found = operator.get(AUDIT, {"q": secret[:8]}).content.decode()
    assert "192.0.2.1" in found
    assert "192.0.2.2" not in found
    filtered = operator.get(AUDIT, {"action__exact": "deleted"}).content.decode()
    assert "192.0.2.2" in filtered
    assert "192.0.2.1" not in filtered
    entry = AuditEntry.objects.get(user="ada")
    for path in ("add/", f"{entry.pk}/delete/"):
        assert operator.get(AUDIT + path).status_code == 403
    assert operator.post(f"{AUDIT}{entry.pk}/change/", {"user": "eve"}).status_code == 403
    assert login("view_session").get(AUDIT).status_code == 403
    assert login("view_auditentry").get(AUDIT).status_code == 200


def test_old_entries_are_deleted(settings: Settings, operator: Client, secret: str) -> None:
    post_confirmed(operator, "extend", secret)
    old = timezone.now() - timedelta(days=31)
    AuditEntry.objects.update(at=old)
    LogEntry.objects.update(action_time=old)
    settings.AUDIT_RETENTION_DAYS = 0
    call_command("prune_audit_log", stdout=StringIO())
    assert entries() != []
    settings.AUDIT_RETENTION_DAYS = 30
    audit.write("ada", "", audit.Action.READ, [secret])
    assert entries() == [("read", secret, "")]
    assert not LogEntry.objects.exists()


def test_everything_about_a_session_is_exported(
    store: Store, operator: Client, secret: str
) -> None:
    send(store, secret, "waiting")
    store.run(sessions.register_socket(secret, "socket-1", address=secret, limits=LIMITS))
    get_html(operator, f"{secret}/change/")
    response = post_confirmed(operator, "export_all", secret)
    [everything] = json.loads(response.content)
    redis = everything["redis"]
    assert redis["document"]["value"]["name"] == "Secretname"
    assert redis["document"]["value"]["messages"][0]["msg"] == "secrettext"
    assert list(redis["sockets"]["value"]) == ["socket-1"]
    assert len(redis["mailbox"]["value"]) == 1
    assert everything["statistics"]["messages"] == 3
    assert [entry["action"] for entry in everything["audit_log"]] == ["exported", "read"]
    prefix = f"chat:{{{secret}}}:"
    stored = {str(key).removeprefix(prefix) for key in store.redis.scan_iter(f"{prefix}*")}
    assert stored - redis.keys() == set()  # the keys of rates expire within moments


def test_a_session_is_exported_and_erased_by_its_token(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = str(uuid4())
    session = create_session(store, token=token)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f" {token}\n")
    output = StringIO()
    call_command("session_data", "export", stdout=output)
    assert json.loads(output.getvalue())["id"] == session == session_id(token)
    call_command("session_data", "erase", stdout=StringIO())
    assert list(store.redis.scan_iter(f"chat:{{{session}}}:*")) == []
    with pytest.raises(CommandError):
        call_command("session_data", "erase", id=session)
    assert [each[0] for each in entries()] == ["exported", "deleted"]
    remaining = load_dossier(store, session)
    assert remaining is not None, "the proof of the deletion remains"
    assert remaining["redis"] == {}


def test_what_is_stored_is_told_with_the_times_of_the_settings(
    settings: Settings, operator: Client
) -> None:
    settings.SESSION_TTL_S = 7200
    settings.AUDIT_RETENTION_DAYS = 90
    page = operator.get("/admin/chat/session/data/").content.decode()
    assert "2 hours after the last message" in page
    assert "90 days" in page
    settings.AOF_REWRITE_INTERVAL_S = 0
    assert "until Redis rewrites its files" in [each.how_long for each in kept_data()]
    output = StringIO()
    call_command("session_data", "retention", stdout=output)
    assert "2 hours after the last message" in output.getvalue()
