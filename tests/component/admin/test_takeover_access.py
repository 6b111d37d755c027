"""Who may step into a conversation, and what the admin shows of those who did."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from chat.operator.export import as_json, as_markdown
from chat.store import leases, operators, sessions
from chat.store.client import Store
from chat.takeover.access import OperatorUser, load_operator
from tests.component.admin.conftest import LIST, Login, get_html
from tests.component.conftest import create_session, new_reply, send_message

pytestmark = pytest.mark.django_db

STEP_IN = ("view_session", "view_transcript", "takeover_session")
LEASE = "operator:7 claim"


def operator_of(client: Client) -> OperatorUser | None:
    """Return who a socket with this client's cookies belongs to."""
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    scope: Any = {"type": "websocket", "headers": [(b"cookie", cookies.encode())]}
    found: OperatorUser | None = load_operator.func(scope)  # type: ignore[attr-defined]  # no thread
    return found


def answer_by_hand(store: Store, session: str) -> None:
    message = send_message(store, session)
    store.run(operators.join(session, LEASE, "Grace <b>", "grace-user"))
    assert store.run(leases.take(session, LEASE, uuid4(), history=1, by_operator=True))
    record = {"attempts": 1, "worker": "web", "model": "", "user": "grace-user"}
    reply = new_reply(message.id, "By hand", source="operator", operator="Grace <b>", record=record)
    store.run(leases.commit(session, LEASE, reply, ttl_s=600))


def test_an_operator_needs_three_permissions(login: Login) -> None:
    operator = operator_of(login(*STEP_IN))
    assert operator is not None
    assert not operator.may_replace
    for missing in STEP_IN:
        assert operator_of(login(*(each for each in STEP_IN if each != missing))) is None


def test_taking_over_from_another_operator_needs_one_more(login: Login) -> None:
    operator = operator_of(login(*STEP_IN, "replace_operator"))
    assert operator is not None
    assert operator.may_replace


def test_a_client_without_a_session_is_no_operator(login: Login) -> None:
    assert operator_of(Client()) is None
    client = login(*STEP_IN)
    client.logout()
    assert operator_of(client) is None


def test_a_session_that_ended_meanwhile_does_not_count(login: Login) -> None:
    client = login(*STEP_IN)
    cookie = client.cookies["sessionid"].value
    client.logout()
    client.cookies["sessionid"] = cookie
    assert operator_of(client) is None


def test_a_broken_cookie_is_no_operator() -> None:
    scope: Any = {"type": "websocket", "headers": [(b"cookie", b'sessionid="\xff;=;')]}
    assert load_operator.func(scope) is None  # type: ignore[attr-defined]


def test_the_second_factor_is_required(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    client = login(*STEP_IN)
    monkeypatch.setattr(settings, "ADMIN_REQUIRE_OTP", True)
    assert operator_of(client) is None


def test_only_those_who_may_step_in_see_how(store: Store, login: Login) -> None:
    session = create_session(store)
    page = f"{session}/change/"
    assert f'data-socket="/admin/operator/{session}"' in get_html(login(*STEP_IN), page)
    assert "data-may-replace" not in get_html(login(*STEP_IN), page)
    assert "takeover.js" not in get_html(login("view_session", "view_transcript"), page)
    assert login(*STEP_IN).get(f"{LIST}requests/").status_code == 200
    assert login("view_session").get(f"{LIST}requests/").status_code == 403


def test_the_admin_shows_who_answers_and_who_answered(store: Store, operator: Client) -> None:
    session = create_session(store)
    answer_by_hand(store, session)
    html = get_html(operator, f"{session}/change/")
    assert "with Grace &lt;b&gt;" in html
    assert 'Grace &lt;b&gt; <span class="quiet">(a person)</span>' in html
    assert "user grace-user" in html


def test_exports_name_the_person(store: Store) -> None:
    session = create_session(store)
    answer_by_hand(store, session)
    loaded = store.run(sessions.load(session))
    assert '"source": "operator"' in as_json([loaded])
    assert '"user": "grace-user"' in as_json([loaded])
    assert "Grace <b> (" in as_markdown([loaded])
    assert "a person" in as_markdown([loaded])
