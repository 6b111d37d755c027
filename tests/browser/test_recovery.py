"""Nothing typed is lost: by a reload, a lost connection, a second tab, an expired session."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from chat.schemas import session_id
from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.processes import HIGH_LIMITS, Stack

SLOW = Behaviour(text="one two three four five six", hold_after=2)
COUNT_UNSENT = (
    "() => Object.keys(localStorage).filter((key) => key.startsWith('chat.pending.')).length"
)

MAX_MESSAGES_SENT = 60  # three times the limit of a minute


@pytest.fixture(scope="module")
def strict_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A site with a message rate limit, sessions that expire soon, and debug logs."""
    environment = HIGH_LIMITS | {
        "MODEL_URL": shared_model.endpoint("huggingface"),
        "MESSAGES_PER_MINUTE": "20",
        "MAX_PENDING": "50",
        "SESSION_TTL_S": "302",
        "LOG_LEVEL": "DEBUG",
    }
    with Stack(tmp_path_factory.mktemp("strict"), environment) as stack:
        stack.start()
        yield stack


def test_reload_resumes_a_streaming_reply(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(SLOW)
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one two")

    visitor.page.reload()

    visitor.expect_turn(0, "streaming", "one two")
    model_stub.release()
    visitor.expect_turn(0, "done", "one two three four five six")


def test_short_connection_loss_during_a_reply_shows_no_notice(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one two")

    visitor.network.cut()
    visitor.network.restore()
    model_stub.release()

    visitor.expect_turn(0, "done", "one two three four five six")
    expect(visitor.notices).to_have_text("")
    assert visitor.transcript() == [["count", "one two three four five six"]]


@pytest.mark.slow
def test_long_connection_loss_shows_the_next_retry(visitor: Visitor) -> None:
    visitor.network.cut()

    notices = visitor.notices
    expect(notices).to_contain_text(re.compile(r"No connection\. Retrying in\s+0:\d\d"))
    visitor.network.restore()
    notices.get_by_role("button", name="Try now").dispatch_event("click")

    expect(notices).to_have_text("")


def test_messages_sent_offline_wait_and_are_sent_once(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.send("are you there?")
    visitor.send("hello?")
    expect(visitor.expect_turn(0, "waiting")).to_contain_text("Waiting for the connection")
    assert visitor.page.evaluate(COUNT_UNSENT) == 2

    visitor.network.restore()

    visitor.expect_turn(1, "done")
    assert visitor.transcript() == [
        ["are you there?", "You said: are you there?"],
        ["hello?", "You said: hello?"],
    ]
    assert visitor.page.evaluate(COUNT_UNSENT) == 0


def test_message_sent_offline_survives_a_reload(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.send("are you there?")
    visitor.expect_turn(0, "waiting")

    visitor.page.reload()
    visitor.expect_turn(0, "waiting")
    visitor.network.restore()

    visitor.expect_turn(0, "done", "You said: are you there?")


def test_unsent_message_can_be_discarded(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.send("too hasty")

    visitor.expect_turn(0, "waiting").get_by_role("button", name="Discard").click()
    visitor.network.restore()
    visitor.send("better")

    visitor.expect_turn(0, "done", "You said: better")
    assert visitor.transcript() == [["better", "You said: better"]]


def test_draft_survives_a_reload(visitor: Visitor) -> None:
    visitor.composer.fill("half a tho")

    visitor.page.reload()

    expect(visitor.composer).to_have_value("half a tho")


def test_two_tabs_show_the_same_transcript(new_visitor: NewVisitor, model_stub: ModelStub) -> None:
    one = new_visitor().start()
    two = new_visitor(beside=one).open()
    expect(two.composer).to_be_visible()
    model_stub.script(SLOW)

    one.send("count")

    two.expect_turn(0, "streaming", "one two")
    two.send("from the second tab")
    model_stub.release()
    one.expect_turn(1, "done", "You said: from the second tab")
    two.expect_turn(1, "done", "You said: from the second tab")
    assert one.transcript() == two.transcript()


def test_too_long_message_stays_in_the_composer(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(viewport={"width": 375, "height": 700})
    visitor.network.cut()  # the limit is known before the session is
    visitor.start()
    visitor.composer.fill("x" * 2001)

    visitor.composer.press("Enter")

    expect(visitor.page.locator("#composer-hint")).to_contain_text("1 character too many")
    expect(visitor.composer).to_have_value("x" * 2001)
    expect(visitor.page.locator(".turn")).to_have_count(0)
    box, screen = visitor.composer.bounding_box(), visitor.page.viewport_size
    assert box
    assert screen
    assert box["x"] >= 0, "one long word must not push the box off the screen"
    assert box["x"] + box["width"] <= screen["width"]


@pytest.mark.slow
def test_rate_limited_message_is_sent_later(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url).start()

    notice = visitor.page.get_by_text("You're sending quickly.")
    texts: list[str] = []
    while not notice.count():
        assert len(texts) < MAX_MESSAGES_SENT
        texts.append(f"message {len(texts)}")
        visitor.send(texts[-1])

    visitor.expect_turn(len(texts) - 1, "done", f"You said: {texts[-1]}")
    assert sorted(message for message, _ in visitor.transcript()) == sorted(texts)


def continue_in_a_new_session(visitor: Visitor, draft: str) -> None:
    """Use the notice's button; the draft moves along, and can be sent."""
    visitor.notices.get_by_role("button", name="New conversation").click()
    expect(visitor.page.locator(".turn")).to_have_count(0)
    expect(visitor.composer).to_have_value(draft)
    visitor.composer.press("Enter")
    visitor.expect_turn(0, "done", f"You said: {draft}")


@pytest.mark.slow
def test_draft_moves_from_an_expired_session_to_a_new_one(
    new_stack: NewStack, new_visitor: NewVisitor
) -> None:
    stack = new_stack(SESSION_TTL_S="4")
    stack.start()
    visitor = new_visitor(site=stack.url).start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.composer.fill("one more thing")

    expect(visitor.notices).to_contain_text("This conversation has expired.")
    assert visitor.transcript() == [["hello", "You said: hello"]]
    continue_in_a_new_session(visitor, "one more thing")


@pytest.mark.slow
def test_an_unsent_message_moves_from_a_full_session_to_a_new_one(
    new_stack: NewStack, new_visitor: NewVisitor
) -> None:
    stack = new_stack(MAX_SESSION_MESSAGES="2")
    stack.start()
    visitor = new_visitor(site=stack.url).start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.send("one more thing")

    expect(visitor.notices).to_contain_text("This conversation is full.")
    continue_in_a_new_session(visitor, "one more thing")


def test_session_about_to_expire_can_be_extended(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url).start()

    notice = visitor.notices
    expect(notice).to_contain_text(re.compile(r"This conversation expires in\s+4:5\d"))
    notice.get_by_role("button", name="Keep it open").click()

    expect(notice).to_have_text("")


@pytest.mark.slow
def test_killed_web_process_and_worker_lose_nothing(
    new_stack: NewStack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    stack = new_stack()
    stack.start()
    visitor = new_visitor(site=stack.url).start()
    model_stub.script(SLOW, SLOW)
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one")

    stack.running("worker")[0].kill()
    stack.running("web")[0].kill()
    visitor.send("still there?")
    stack.start_worker()
    stack.start_web()
    model_stub.release()

    visitor.expect_turn(0, "done", "one two three four five six")
    visitor.expect_turn(1, "done", "You said: still there?")
    assert len(visitor.transcript()) == 2


def test_loading_model_shows_a_countdown(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(
        Behaviour(
            status=503, error="Model is currently loading", error_fields={"estimated_time": 3.0}
        )
    )

    visitor.send("hello")

    expect(visitor.expect_turn(0, "loading")).to_contain_text(
        re.compile(r"The model is starting:\s+0:0\d")
    )
    visitor.expect_turn(0, "done", "You said: hello")


def test_token_is_in_no_url_and_no_log(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url)
    urls: list[str] = []
    visitor.page.on("request", lambda request: urls.append(request.url))
    visitor.start()
    visitor.send("my secret words")
    visitor.expect_turn(0, "done")
    visitor.network.cut()
    visitor.network.restore()
    visitor.send("again")
    visitor.expect_turn(1, "done")

    token = visitor.token()
    logs = [process.output() for process in strict_stack.processes]
    assert len(visitor.network.urls) >= 2
    assert [url for url in urls + visitor.network.urls if token in url] == []
    assert [log for log in logs if token in log or "my secret words" in log] == []
    assert session_id(token) not in "".join(urls)
