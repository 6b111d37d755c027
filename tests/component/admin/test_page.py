"""A session's page: transcript, timelines, queue and sockets, escaped and with live updates."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.session_page import SessionPage, load_page
from chat.store import branches, leases, sessions, shares
from chat.store.client import Store
from chat.store.operation.inspection import State
from chat.store.shares import ShareLimits
from tests.component.admin.conftest import (
    LIST,
    Login,
    add_reply,
    get_html,
    start_reply,
)
from tests.component.conftest import (
    LIMITS,
    create_session,
    new_reply,
    send_message,
    store_reply,
    take_message,
)

pytestmark = pytest.mark.django_db

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></li><svg onload=alert(1)>",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "javascript:alert(1)",
)


def get_session_html(client: Client, session: str, **query: str) -> str:
    return get_html(client, f"{session}/change/", **query)


def get_changes(client: Client, session: str, **versions: str) -> dict[str, Any]:
    return dict(json.loads(get_html(client, f"{session}/live/", **versions)))


def load(store: Store, session: str, before: int | None = None) -> SessionPage:
    page = load_page(store, session, before)
    assert page is not None
    return page


@pytest.mark.parametrize("text", ATTACKS)
def test_names_messages_and_replies_are_escaped(store: Store, operator: Client, text: str) -> None:
    session = create_session(store, text)
    add_reply(store, session, text)
    start_reply(store, session, text)
    page = get_session_html(operator, session)
    assert "alert(1)</script>" not in page
    assert "<img src=x" not in page
    assert "<svg onload" not in page
    assert "14" not in page.partition("{{")[2][:20]
    live = get_changes(operator, session)
    assert not any("<script" in part["html"] or "<img" in part["html"] for part in live.values())


def test_each_reply_shows_its_timings_worker_model_and_outcome(
    store: Store, operator: Client
) -> None:
    session = create_session(store)
    add_reply(store, session, "hello", total_ms=8_000)
    add_reply(store, session, "again", failure=ErrorCode.MODEL_TIMEOUT, total_ms=16_000)
    html = get_session_html(operator, session)
    for fact in (
        "About hello",
        "8.0 s",
        "queued 100 ms, first text after 200 ms, streamed for 7.7 s",
        "<span>1 attempt</span>",
        "worker host:7",
        "model gpt-j",
        "finish reason stop",
        "1 piece of text",
        "model.timeout",
        "The model did not answer.",
    ):
        assert fact in html, fact
    page = load(store, session)
    assert [entry.state for entry in page.entries] == [
        "answered",
        "completed",
        "answered",
        "model.timeout",
    ]
    timelines = [entry.timeline for entry in page.entries if entry.timeline]
    assert [round(sum(phase.width for phase in each.phases)) for each in timelines] == [500, 1000]


def test_a_message_to_regenerate_is_next_in_the_queue(store: Store) -> None:
    session = create_session(store)
    old = add_reply(store, session, failure=ErrorCode.MODEL_TIMEOUT)
    assert old.reply_to is not None
    store.run(sessions.regenerate(session, old.reply_to, address="test", limits=LIMITS))
    page = load(store, session)
    assert page.summary.state is State.WAITING
    assert [reply.state for reply in page.pending] == ["next in the queue"]
    add_reply(store, session, "more")
    assert "replaced" in [entry.state for entry in load(store, session).entries]


def test_replaced_messages_are_collapsed_and_newer_ones_say_why(
    store: Store, operator: Client
) -> None:
    session = create_session(store)
    first = add_reply(store, session, "first")
    options: Any = {"address": "test", "limits": LIMITS}
    store.run(sessions.accept(session, uuid4(), "edited", replaces=first.reply_to, **options))
    other = store_reply(store, session)
    assert first.reply_to
    assert other.reply_to
    store.run(branches.choose(session, uuid4(), first.reply_to, **options))
    store.run(sessions.accept(session, uuid4(), "cut off", **options))
    taken = take_message(store, session)
    cut_off = new_reply(taken.message.id, "Once", finish_reason="length")
    store.run(leases.commit(session, taken.lease, cut_off, ttl_s=60))
    store.run(sessions.regenerate(session, taken.message.id, is_continued=True, **options))
    longer = new_reply(
        take_message(store, session).message.id,
        "Once upon",
        replaces=cut_off.id,
        continues=cut_off.id,
    )
    store.run(leases.commit(session, taken.lease, longer, ttl_s=60))

    entries = load(store, session).entries
    assert [(entry.origin, entry.state) for entry in entries] == [
        ("", "replaced"),
        ("", "replaced"),
        ("edited", "replaced"),
        ("", "replaced"),
        ("version chosen", "answered"),
        ("version chosen", "completed"),
        ("", "answered"),
        ("", "replaced"),
        ("continued", "completed"),
    ]
    html = get_session_html(operator, session)
    assert html.count("<summary>Show the replaced message</summary>") == 2
    assert html.count("<summary>Show the replaced reply</summary>") == 3


def test_the_page_shows_the_queue_the_worker_and_the_sockets(
    store: Store, operator: Client
) -> None:
    session = create_session(store)
    start_reply(store, session, "So far so", lease="host:9 lease")
    send_message(store, session)
    store.run(sessions.register_socket(session, "socket-1", address=session, limits=LIMITS))
    page = load(store, session)
    assert [entry.state for entry in page.entries] == ["reply in progress", "waiting"]
    assert [(reply.state, reply.worker, reply.text) for reply in page.pending] == [
        ("in progress", "host:9", "So far so"),
        ("waiting, 1 ahead", None, None),
    ]
    assert [[phase.name for phase in reply.timeline.phases] for reply in page.pending] == [
        ["queued", "streaming"],
        ["queued"],
    ]
    assert [socket.name for socket in page.inspection.sockets] == ["socket-1"]
    assert "So far so" in get_session_html(operator, session)


def test_live_updates_contain_only_what_changed(store: Store, operator: Client) -> None:
    session = create_session(store)
    add_text = start_reply(store, session, "One")
    before = get_changes(operator, session)
    assert before.keys() == {"facts", "actions", "shares", "transcript", "pending"}
    versions = {name: part["version"] for name, part in before.items()}
    add_text(3, " two")
    after = get_changes(operator, session, **versions)
    assert after.keys() == {"pending"}
    assert "One two" in after["pending"]["html"]


def test_actions_are_offered_if_they_are_possible(store: Store, operator: Client) -> None:
    def buttons(session: str) -> dict[str, tuple[bool, bool]]:
        html = get_changes(operator, session)["actions"]["html"]
        found = re.findall(r'value="(\w+)" class="([^"]*)"[^>]*?( disabled)?>', html)
        return {name: ("default" in classes, not disabled) for name, classes, disabled in found}

    session = create_session(store)
    assert buttons(session)["extend"] == (True, True)
    assert buttons(session)["stop"] == buttons(session)["requeue"] == (False, False)
    assert buttons(session)["export_json"] == (False, False)

    start_reply(store, session, "One")
    assert buttons(session)["stop"] == (True, True)
    assert buttons(session)["requeue"] == (False, False)

    failed = create_session(store)
    add_reply(store, failed, failure=ErrorCode.MODEL_TIMEOUT)
    assert buttons(failed)["requeue"] == (True, True)
    assert buttons(failed)["delete"] == (False, True)


def test_a_deleted_session_redirects_to_the_list(store: Store, operator: Client) -> None:
    session = create_session(store)
    store.run(sessions.erase(session))
    assert operator.get(f"{LIST}{session}/live/").json() is None
    response = operator.get(f"{LIST}{session}/change/", follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert "no longer exists" in response.content.decode()
    assert operator.get(f"{LIST}*/change/", follow=True).status_code == 200


def test_long_transcripts_are_paginated(store: Store, operator: Client) -> None:
    session = create_session(store)
    for number in range(102):
        add_reply(store, session, f"word{number}.")

    page = load(store, session)
    assert [entry.message.seq for entry in page.entries] == list(range(5, 205))
    assert page.earlier == 5
    earlier = load(store, session, before=5)
    assert [entry.message.seq for entry in earlier.entries] == [1, 2, 3, 4]
    assert "word2." not in get_session_html(operator, session, before="5")
    assert get_session_html(operator, session, before="nonsense")


def test_without_the_permission_no_text_is_shown(store: Store, login: Login) -> None:
    session = create_session(store)
    add_reply(store, session, "secret")
    start_reply(store, session, "partial secret")

    viewer = login("view_session")
    assert "secret" not in get_session_html(viewer, session)
    assert "secret" not in str(get_changes(viewer, session))
    assert "12 characters" in get_session_html(viewer, session)
    assert "secret" in get_session_html(login("view_session", "view_transcript"), session)


def test_a_token_is_sent_by_post_and_never_shown(store: Store, login: Login) -> None:
    token = str(uuid4())
    session = create_session(store, token=token)
    viewer = login("view_session")

    response = viewer.post(f"{LIST}find/", {"token": token.upper()}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{session}/change/", 302)]
    page = response.content.decode()
    assert session in page
    assert token not in page.lower()
    invalid = viewer.post(f"{LIST}find/", {"token": "not a token"})
    assert "looks like" in invalid.content.decode()


def share_session(store: Store, session: str, secret: str = "", **wanted: Any) -> str:
    """Create a link to a session and return its id."""
    share = shares.share_id(secret or shares.new_secret(session))
    values: dict[str, Any] = {"messages": 7, "is_named": True, "ttl_s": None, "address": session}
    limits = ShareLimits(per_session=5, per_minute=100, bytes=100_000)
    store.run(shares.create(session, share, ["{}"], limits=limits, **values | wanted))
    return share


def revoke(client: Client, session: str, share: str) -> Any:
    return client.post(f"{LIST}{session}/revoke-share/", {"share": share}, follow=True)


def test_the_links_of_a_session_are_listed_and_revoked(store: Store, operator: Client) -> None:
    session = create_session(store)
    assert "Read-only links" not in get_session_html(operator, session)
    share = share_session(store, session)
    html = get_session_html(operator, session)
    assert "<td>7</td>" in html
    assert "<td>shown</td>" in html
    assert "with the session" in html
    assert "shares" in get_changes(operator, session, shares="an earlier version")

    response = revoke(operator, session, share)

    assert "Revoked the link." in response.content.decode()
    assert store.run(shares.load_all(session)) == ()
    history = get_html(operator, f"{session}/history/")
    assert f"Revoked the link {share}." in history
    assert "no longer exists" in revoke(operator, session, share).content.decode()
    assert get_html(operator, f"{session}/history/").count("Revoked the link") == 1


def test_revoking_a_link_needs_its_permission_and_its_session(store: Store, login: Login) -> None:
    session, other = create_session(store), create_session(store)
    share = share_session(store, session)
    viewer = login("view_session")
    assert 'name="share"' not in get_session_html(viewer, session)
    assert revoke(viewer, session, share).status_code == 403
    assert revoke(login("revoke_share"), session, share).status_code == 403
    revoker = login("view_session", "revoke_share")
    assert revoker.get(f"{LIST}{session}/revoke-share/").status_code == 405
    revoke(revoker, other, share)
    assert len(store.run(shares.load_all(session))) == 1

    assert 'name="share"' in get_session_html(revoker, session)
    revoke(revoker, session, share)

    assert store.run(shares.load_all(session)) == ()


def test_the_session_of_a_reported_link_is_found(store: Store, login: Login) -> None:
    session = create_session(store)
    secret = shares.new_secret(session)
    share_session(store, session, secret)
    viewer = login("view_session")
    for text in (secret, f" https://chat.example/s/{secret} ", f"chat.example/s/{secret.upper()}"):
        response = viewer.post(f"{LIST}find/", {"token": text}, follow=True)
        assert response.redirect_chain == [(f"{LIST}{session}/change/", 302)], text
        assert secret not in response.content.decode().lower()
    searched = viewer.get(LIST, {"q": f"https://chat.example/s/{secret}"})
    assert searched.headers["Location"] == f"{LIST}{session}/change/"


def test_every_page_needs_the_permission_to_view_sessions(store: Store, login: Login) -> None:
    session = create_session(store)
    user = login("delete_session")
    for path in ("", f"{session}/change/", f"{session}/live/", "dashboard/", "dashboard/live/"):
        assert user.get(LIST + path).status_code == 403, path
        assert Client().get(LIST + path).status_code == 302, path
    assert user.post(f"{LIST}find/", {"token": str(uuid4())}).status_code == 403


def test_nothing_can_be_added_or_edited(store: Store, operator: Client) -> None:
    session = create_session(store)
    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}add/", {"name": "x"}).status_code == 403
    assert operator.post(f"{LIST}{session}/change/", {"name": "x"}).status_code == 403
    assert operator.get(f"{LIST}{session}/delete/").status_code == 403
    assert operator.post(f"{LIST}{session}/delete/", {"post": "yes"}).status_code == 403


def test_without_redis_the_pages_respond_with_503_and_the_reason(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = Store("redis://127.0.0.1:9/0", connections=1)
    for module in ("admin", "operator.pages"):
        monkeypatch.setattr(f"chat.{module}.store", lambda: unreachable)
    for path in ("", f"{'0' * 32}/change/", "dashboard/", f"{'0' * 32}/history/"):
        response = operator.get(LIST + path)
        assert response.status_code == 503, path
        assert "Redis does not respond" in response.content.decode()


def test_every_page_shows_the_version_to_those_who_are_logged_in(operator: Client) -> None:
    footer = f"Chat {settings.VERSION}</footer>"
    assert footer in operator.get("/admin/").content.decode()
    assert footer in get_html(operator, "")
    assert settings.VERSION not in Client().get("/admin/login/").content.decode()
