"""A session's page: its transcript, timeline, queue and sockets; safe, and live."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.session_page import read_page
from chat.schemas import session_id
from chat.store import inspection, leases, sessions
from chat.store.client import Store
from tests.component.admin.conftest import LIST, Login, answered, begin
from tests.component.conftest import LIMITS, say, take

pytestmark = pytest.mark.django_db

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></li><svg onload=alert(1)>",
    "{{ 7|add:7 }}{% now 'Y' %}",
    "javascript:alert(1)",
)


def page_of(client: Client, session: str, **query: str) -> str:
    response = client.get(f"{LIST}{session}/change/", query)
    assert response.status_code == 200, response
    return str(response.content.decode())


def changes(client: Client, session: str, **versions: str) -> dict[str, Any]:
    response = client.get(f"{LIST}{session}/live/", versions)
    assert response.status_code == 200, response
    return dict(response.json())


@pytest.mark.parametrize("text", ATTACKS)
def test_what_people_and_models_say_is_text(store: Store, operator: Client, text: str) -> None:
    session = begin(store, text)
    answered(store, session, text)
    say(store, session, text)
    taken = take(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, 0, text))

    page = page_of(operator, session)
    assert "alert(1)</script>" not in page
    assert "<img src=x" not in page
    assert "<svg onload" not in page
    assert "14" not in page.partition("{{")[2][:20]
    live = changes(operator, session)
    assert not any("<script" in part["html"] or "<img" in part["html"] for part in live.values())


def test_each_reply_tells_what_happened_to_it(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    answered(store, session, "hello", total_ms=8_000)
    answered(store, session, "again", failure=ErrorCode.MODEL_TIMEOUT, total_ms=16_000)

    page = page_of(operator, session)
    for fact in (
        "About hello",
        "8.0 s",
        "queued 100 ms, first text after 200 ms, written in 7.7 s",
        "attempt 1",
        "worker host:7",
        "model gpt-j",
        "finish reason stop",
        "model.timeout",
        "The model did not answer.",
    ):
        assert fact in page, fact
    read = read_page(store, session)
    assert read is not None
    bars = [line.bar for line in read.lines if line.bar]
    assert [round(sum(part.width for part in bar.parts)) for bar in bars] == [500, 1000]


def test_a_replaced_reply_is_shown_as_such(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    old = answered(store, session, "hello", failure=ErrorCode.MODEL_TIMEOUT)
    assert old.reply_to is not None
    store.run(sessions.regenerate(session, old.reply_to, limits=LIMITS))
    new = take(store, session, "host:7 again")
    assert new.replaces == old.id
    store.run(leases.release(session, new.lease))
    read = read_page(store, session)
    assert read is not None
    assert read.summary.state is inspection.State.WAITING
    assert [each.state for each in read.pending] == ["next in line"]


def test_the_queue_and_who_is_at_it(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    say(store, session, "first")
    say(store, session, "second")
    taken = take(store, session, "host:9 lease")
    store.run(leases.progress(session, taken.lease, taken.reply, 0, "So far so"))
    store.run(sessions.register_socket(session, "socket-1", address=session, limits=LIMITS))

    read = read_page(store, session)
    assert read is not None
    assert [(each.state, each.worker, each.text) for each in read.pending] == [
        ("being written", "host:9", "So far so"),
        ("waiting, 1 before it", None, None),
    ]
    assert [[part.name for part in each.bar.parts] for each in read.pending] == [
        ["queued", "writing"],
        ["queued"],
    ]
    assert [socket.name for socket in read.inspection.sockets] == ["socket-1"]
    assert "So far so" in page_of(operator, session)


def test_the_page_grows_while_one_looks(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    say(store, session)
    taken = take(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, 0, "One"))
    before = changes(operator, session)
    assert before.keys() == {"facts", "lines", "pending"}
    versions = {name: part["version"] for name, part in before.items()}

    store.run(leases.progress(session, taken.lease, taken.reply, 3, " two"))
    after = changes(operator, session, **versions)
    assert after.keys() == {"pending"}
    assert "One two" in after["pending"]["html"]


def test_a_session_that_is_gone_is_said_to_be(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    store.run(sessions.erase(session))
    assert operator.get(f"{LIST}{session}/live/").json() is None
    response = operator.get(f"{LIST}{session}/change/", follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    assert "gone" in response.content.decode()
    assert operator.get(f"{LIST}*/change/", follow=True).status_code == 200


def test_long_transcripts_come_in_pages(
    store: Store, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.operator.session_page.MESSAGES_A_PAGE", 4)
    session = begin(store, "Ada")
    for number in range(5):
        answered(store, session, f"word{number}")

    read = read_page(store, session)
    assert read is not None
    assert [line.message.seq for line in read.lines] == [7, 8, 9, 10]
    assert read.earlier == 7
    earlier = read_page(store, session, before=7)
    assert earlier is not None
    assert [line.message.seq for line in earlier.lines] == [3, 4, 5, 6]
    assert "word4" not in page_of(operator, session, before="7")
    assert page_of(operator, session, before="nonsense")


def test_without_the_permission_no_text_is_shown(store: Store, login: Login) -> None:
    session = begin(store, "Ada")
    answered(store, session, "secret")
    say(store, session)
    taken = take(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, 0, "partial secret"))

    viewer = login("view_session")
    assert "secret" not in page_of(viewer, session)
    assert "secret" not in str(changes(viewer, session))
    assert "12 characters" in page_of(viewer, session)
    assert "secret" in page_of(login("view_session", "view_transcript"), session)


def test_a_token_is_looked_up_by_post_and_never_shown(store: Store, login: Login) -> None:
    token = str(uuid4())
    session = session_id(token)
    store.run(sessions.create(session, "Ada", address=session, limits=LIMITS))
    viewer = login("view_session")

    response = viewer.post(f"{LIST}find/", {"token": token.upper()}, follow=True)
    assert response.redirect_chain == [(f"{LIST}{session}/change/", 302)]
    page = response.content.decode()
    assert session in page
    assert token not in page.lower()
    wrong = viewer.post(f"{LIST}find/", {"token": "not a token"})
    assert "looks like" in wrong.content.decode()


def test_only_staff_with_the_permission_see_anything(store: Store, login: Login) -> None:
    session = begin(store, "Ada")
    stranger = login("delete_session")
    for path in ("", f"{session}/change/", f"{session}/live/", "dashboard/", "dashboard/live/"):
        assert stranger.get(LIST + path).status_code == 403, path
        assert Client().get(LIST + path).status_code == 302, path
    assert stranger.post(f"{LIST}find/", {"token": str(uuid4())}).status_code == 403


def test_nothing_can_be_added_or_edited(store: Store, operator: Client) -> None:
    session = begin(store, "Ada")
    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}add/", {"name": "x"}).status_code == 403
    assert operator.post(f"{LIST}{session}/change/", {"name": "x"}).status_code == 403
    assert operator.get(f"{LIST}{session}/delete/").status_code == 403
    assert operator.post(f"{LIST}{session}/delete/", {"post": "yes"}).status_code == 403


def test_a_redis_that_does_not_answer_is_told_in_words(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Store("redis://127.0.0.1:9/0", connections=1)
    for module in ("admin", "operator.pages"):
        monkeypatch.setattr(f"chat.{module}.store", lambda: gone)
    for path in ("", f"{'0' * 32}/change/", "dashboard/", f"{'0' * 32}/history/"):
        response = operator.get(LIST + path)
        assert response.status_code == 503, path
        assert "Redis does not answer" in response.content.decode()
