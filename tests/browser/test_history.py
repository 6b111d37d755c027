"""A long conversation: it opens at its end, and earlier messages load while one scrolls."""

from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from chat.schemas import session_id
from chat.store import leases, sessions
from chat.store.client import Store
from tests.browser.frames import accepted, human, ready
from tests.browser.test_sidebar import open_options
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Visitor
from tests.component.conftest import LIMITS, new_reply
from tests.processes import Stack

EXCHANGES = 260
# How far a turn is from the top of the screen, in pixels.
POSITION = """(text) => [...document.querySelectorAll(".turn")]
  .find((turn) => turn.querySelector(".human-text").textContent === text)
  .getBoundingClientRect().top"""


@pytest.fixture
def long_conversation(visitor: Visitor, stack: Stack) -> Visitor:
    """A tab that shows a conversation of 520 messages."""
    session = session_id(visitor.token())
    store = Store(stack.redis_url, connections=1)
    for number in range(EXCHANGES):
        store.run(
            sessions.accept(session, uuid4(), f"question {number}", address="test", limits=LIMITS)
        )
        taken = store.run(leases.take(session, "test", uuid4(), history=1))
        assert taken
        reply = new_reply(taken.message.id, f"answer {number}\n\nwith a second paragraph")
        store.run(leases.commit(session, taken.lease, reply, ttl_s=600))
    store.redis.close()
    visitor.page.reload()
    visitor.expect_turn(-1, "done", f"answer {EXCHANGES - 1}")
    return visitor


def test_earlier_messages_load_while_one_scrolls_up(long_conversation: Visitor) -> None:
    page = long_conversation.page
    turns = page.locator(".turn")
    for count in (100, 200, EXCHANGES):
        expect(turns).to_have_count(count)
        first = turns.first.locator(".human-text").text_content()
        page.evaluate("document.getElementById('transcript').scrollTop = 0")
        before = page.evaluate(POSITION, first)
        if count < EXCHANGES:
            expect(turns).not_to_have_count(count)
            assert page.evaluate(POSITION, first) == pytest.approx(before, abs=3), "it jumped"
    expect(page.get_by_text("Load earlier messages")).to_have_count(0)
    assert [turn[0] for turn in long_conversation.transcript()] == [
        f"question {number}" for number in range(EXCHANGES)
    ]


def test_earlier_messages_load_by_keyboard(long_conversation: Visitor) -> None:
    page = long_conversation.page
    expect(page.locator(".turn")).to_have_count(100)
    page.get_by_role("button", name="Load earlier messages").press("Enter")
    expect(page.locator(".turn")).to_have_count(200)


def test_the_whole_conversation_is_exported(long_conversation: Visitor) -> None:
    page = long_conversation.page
    expect(page.locator(".turn")).to_have_count(100)
    with page.expect_download() as download:
        open_options(long_conversation, "Ada").get_by_role("button", name="Export as JSON").click()
    exported: Any = download.value.path().read_text()
    assert exported.count('"source"') == 2 * EXCHANGES


def test_the_whole_conversation_is_kept(long_conversation: Visitor) -> None:
    expect(long_conversation.page.locator(".turn")).to_have_count(100)
    long_conversation.wait_until_kept(2 * EXCHANGES)


def test_a_refused_page_is_not_requested_again_at_once(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.start()
    visitor.server.send(ready([human(9, "nine")], has_earlier=True))
    expect(visitor.page.locator(".earlier")).to_be_attached()
    error = {"type": "error", "code": "rate.limited", "detail": "Later.", "ref": None}
    for seq in range(10, 15):
        visitor.server.send(error, accepted(seq, f"message {seq}"))
        expect(visitor.page.locator(".turn").last).to_contain_text(f"message {seq}")
    assert visitor.server.received_types() == ["session.history"]
