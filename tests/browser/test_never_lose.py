"""Not a word is lost: by a reload, a dropped connection, a second tab, the session's end."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from chat.schemas import session_id
from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import ROOMY, NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

SLOW = Behaviour(text="one two three four five six", piece_delay_s=0.4)
KEPT = "() => Object.keys(localStorage).filter((key) => key.startsWith('chat.pending.')).length"


@pytest.fixture(scope="module")
def strict_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A site with a real limit of messages, sessions that soon end, and every log line written."""
    environment = ROOMY | {
        "MODEL_URL": shared_model.endpoint("huggingface"),
        "MESSAGES_PER_MINUTE": "20",
        "MAX_PENDING": "50",
        "SESSION_TTL_S": "302",
        "LOG_LEVEL": "DEBUG",
    }
    with Stack(tmp_path_factory.mktemp("strict"), environment) as stack:
        stack.start()
        yield stack


def token(visitor: Visitor) -> str:
    value: str = visitor.page.evaluate("localStorage.getItem('chat.current')")
    return value


def test_a_reply_in_mid_stream_is_there_after_a_reload(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    visitor.say("count")
    visitor.sees(0, "streaming", "one two")

    visitor.page.reload()

    visitor.sees(0, "streaming", "one two")
    visitor.sees(0, "done", "one two three four five six")


def test_a_dropped_connection_in_mid_reply_shows_nothing_and_loses_nothing(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    visitor.say("count")
    visitor.sees(0, "streaming", "one two")

    visitor.network.cut()
    visitor.network.mend()

    visitor.sees(0, "done", "one two three four five six")
    expect(visitor.page.locator("#notices")).to_have_text("")
    assert visitor.talk() == [["count", "one two three four five six"]]


def test_a_long_drop_is_told_with_the_next_try(visitor: Visitor) -> None:
    visitor.network.cut()

    notices = visitor.page.locator("#notices")
    expect(notices).to_contain_text(re.compile(r"No connection\. Retrying in\s+0:\d\d"))
    visitor.network.mend()
    notices.get_by_role("button", name="Try now").click()

    expect(notices).to_have_text("")


def test_what_is_typed_offline_waits_and_is_sent_once(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.say("are you there?")
    visitor.say("hello?")
    expect(visitor.sees(0, "waiting")).to_contain_text("Waiting for the connection")
    assert visitor.page.evaluate(KEPT) == 2

    visitor.network.mend()

    visitor.sees(1, "done")
    assert visitor.talk() == [
        ["are you there?", "You said: are you there?"],
        ["hello?", "You said: hello?"],
    ]
    assert visitor.page.evaluate(KEPT) == 0


def test_what_is_typed_offline_survives_a_reload(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.say("are you there?")
    visitor.sees(0, "waiting")

    visitor.page.reload()
    visitor.sees(0, "waiting")
    visitor.network.mend()

    visitor.sees(0, "done", "You said: are you there?")


def test_a_message_not_sent_yet_can_be_taken_back(visitor: Visitor) -> None:
    visitor.network.cut()
    visitor.say("too hasty")

    visitor.sees(0, "waiting").get_by_role("button", name="Discard").click()
    visitor.network.mend()
    visitor.say("better")

    visitor.sees(0, "done", "You said: better")
    assert visitor.talk() == [["better", "You said: better"]]


def test_the_draft_survives_a_reload(visitor: Visitor) -> None:
    visitor.box.fill("half a tho")

    visitor.page.reload()

    expect(visitor.box).to_have_value("half a tho")


def test_two_tabs_show_the_same(new_visitor: NewVisitor, model_stub: ModelStub) -> None:
    one = new_visitor().begin()
    two = new_visitor(beside=one).arrive()
    expect(two.box).to_be_visible()
    model_stub.script(SLOW)

    one.say("count")

    two.sees(0, "streaming", "one two")
    two.say("from the second tab")
    one.sees(1, "done", "You said: from the second tab")
    two.sees(1, "done", "You said: from the second tab")
    assert one.talk() == two.talk()


def test_a_message_too_long_stays_in_the_box(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(viewport={"width": 375, "height": 700})
    visitor.network.cut()  # the limit is known before the session is
    visitor.begin()
    visitor.box.fill("x" * 2001)

    visitor.box.press("Enter")

    expect(visitor.page.locator("#composer-hint")).to_contain_text("1 character too many")
    expect(visitor.box).to_have_value("x" * 2001)
    expect(visitor.page.locator(".turn")).to_have_count(0)
    box, screen = visitor.box.bounding_box(), visitor.page.viewport_size
    assert box
    assert screen
    assert box["x"] >= 0, "one long word must not push the box off the screen"
    assert box["x"] + box["width"] <= screen["width"]


def test_a_refused_message_is_sent_when_the_limit_allows(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url).begin()

    for number in range(22):
        visitor.say(f"message {number}")

    expect(visitor.page.get_by_text("You're sending quickly.").first).to_be_visible()
    visitor.sees(21, "done", "You said: message 21")
    said = [question for question, _ in visitor.talk()]
    assert sorted(said) == sorted(f"message {number}" for number in range(22))


def test_at_the_sessions_end_what_was_typed_goes_on_in_a_new_one(
    new_stack: NewStack, new_visitor: NewVisitor
) -> None:
    stack = new_stack(SESSION_TTL_S="4")
    stack.start()
    visitor = new_visitor(site=stack.url).begin()
    visitor.say("hello")
    visitor.sees(0, "done")
    visitor.box.fill("one more thing")

    notice = visitor.page.locator("#notices")
    expect(notice).to_contain_text("This conversation has expired.")
    assert visitor.talk() == [["hello", "You said: hello"]]
    notice.get_by_role("button", name="New conversation").click()

    expect(visitor.page.locator(".turn")).to_have_count(0)
    expect(visitor.box).to_have_value("one more thing")
    visitor.box.press("Enter")
    visitor.sees(0, "done", "You said: one more thing")


def test_the_last_minutes_are_told_and_can_be_prolonged(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url).begin()

    notice = visitor.page.locator("#notices")
    expect(notice).to_contain_text(re.compile(r"This conversation expires in\s+4:5\d"))
    notice.get_by_role("button", name="Keep it open").click()

    expect(notice).to_have_text("")


def test_a_killed_web_process_and_a_killed_worker_lose_no_word(
    new_stack: NewStack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    stack = new_stack()
    stack.start()
    visitor = new_visitor(site=stack.url).begin()
    model_stub.script(SLOW, SLOW)
    visitor.say("count")
    visitor.sees(0, "streaming", "one")

    stack.of("worker")[0].kill()
    stack.of("web")[0].kill()
    visitor.say("still there?")
    stack.start_worker()
    stack.start_web()

    visitor.sees(0, "done", "one two three four five six")
    visitor.sees(1, "done", "You said: still there?")
    assert len(visitor.talk()) == 2


def test_a_model_that_loads_is_told_with_a_countdown(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(
        Behaviour(
            status=503, error="Model is currently loading", error_fields={"estimated_time": 3.0}
        )
    )

    visitor.say("hello")

    expect(visitor.sees(0, "loading")).to_contain_text(
        re.compile(r"The model is starting:\s+0:0\d")
    )
    visitor.sees(0, "done", "You said: hello")


def test_the_token_is_in_no_url_and_no_log(
    strict_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=strict_stack.url)
    urls: list[str] = []
    visitor.page.on("request", lambda request: urls.append(request.url))
    visitor.begin()
    visitor.say("my secret words")
    visitor.sees(0, "done")
    visitor.network.cut()
    visitor.network.mend()
    visitor.say("again")
    visitor.sees(1, "done")

    secret = token(visitor)
    logs = [process.text() for process in strict_stack.processes]
    assert len(visitor.network.urls) >= 2
    assert [url for url in urls + visitor.network.urls if secret in url] == []
    assert [log for log in logs if secret in log or "my secret words" in log] == []
    assert session_id(secret) not in "".join(urls)
