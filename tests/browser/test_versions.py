"""Versions of questions and replies on the page: the pager, edits and continued replies."""

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.frames import bot, completed, human, started
from tests.browser.states import EDITED, EGGS
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Show
from tests.model_stub import Behaviour, ModelStub

Frame = dict[str, Any]

COPY = bot(7, 3, "Six minutes. Then peel it under cold water, from the blunt end.")
COPY |= {"id": "copy-7", "version_of": "bot-5", "replaces": "bot-6"}


def button(within: Locator, name: str) -> Locator:
    return within.get_by_role("button", name=name, exact=True)


def expect_received(visitor: ScriptedVisitor, type_: str, count: int = 1) -> Frame:
    """Wait until the page has sent so many frames of this type and return the last one."""
    deadline = time.monotonic() + 20
    while visitor.server.received_types().count(type_) < count:
        assert time.monotonic() < deadline, f"{type_} was not sent"
        visitor.page.evaluate("() => new Promise(requestAnimationFrame)")
    return next(frame for frame in reversed(visitor.server.received) if frame["type"] == type_)


def test_earlier_reply_is_loaded_and_marked(show: Show) -> None:
    visitor = show("earlier_reply")

    assert visitor.server.received == [{"type": "version.load", "id": "bot-5"}]
    pager = visitor.page.locator(".bot version-pager")
    expect(pager).to_contain_text("2/3")
    expect(pager).to_contain_text("Not the current version")
    expect(visitor.notices).to_contain_text("Your next message continues from it.")
    expect(button(pager, "Previous version")).to_be_focused()
    expect(button(visitor.turn(0), "Regenerate")).to_have_count(0)

    button(visitor.notices, "Back to the current version").click()

    expect(pager).to_contain_text("3/3")
    expect(visitor.page.locator("reply-text")).to_contain_text("ice water")
    expect(button(pager, "Next version")).to_have_attribute("aria-disabled", "true")


def test_version_is_chosen(show: Show) -> None:
    visitor = show("earlier_reply")

    button(visitor.turn(0), "Use this version").click()
    request = expect_received(visitor, "version.choose")
    visitor.server.send(completed(COPY))

    assert request["version"] == "bot-5"
    expect(visitor.notices).to_be_empty()
    expect(visitor.page.locator(".bot version-pager")).to_contain_text("2/3")
    expect(visitor.page.locator("reply-text")).to_contain_text("peel")


def test_message_continues_from_the_version_that_is_shown(show: Show) -> None:
    visitor = show("earlier_reply")

    visitor.send("Why from the blunt end?")
    expect_received(visitor, "version.choose")
    assert "message.send" not in visitor.server.received_types()
    expect(visitor.composer).to_have_value("Why from the blunt end?")
    visitor.server.send(completed(COPY))

    visitor.expect_turn(1, "sending")
    assert visitor.server.received_types()[-1] == "message.send"
    expect(visitor.composer).to_have_value("")


def test_text_stays_if_the_version_cannot_be_chosen(show: Show) -> None:
    visitor = show("earlier_reply")

    visitor.send("Why?")
    request = expect_received(visitor, "version.choose")
    error = {"type": "error", "code": "session.full", "detail": "Full.", "ref": request["id"]}
    visitor.server.send(error)

    expect(visitor.notices).to_contain_text("This conversation is full.")
    expect(visitor.composer).to_have_value("Why?")
    assert "message.send" not in visitor.server.received_types()


def test_branch_of_an_edited_question_is_shown_in_its_place(show: Show) -> None:
    visitor = show("earlier_question")

    assert visitor.transcript() == [
        ["How do I boil an egg?", "Put it into boiling water for eight minutes."]
    ]
    expect(button(visitor.turn(0), "Edit")).to_have_count(0)
    expect(button(visitor.page.locator(".human"), "Previous version")).to_be_focused()


def test_version_is_requested_again_after_an_error_and_a_reconnect(show: Show) -> None:
    visitor = show("version_not_loaded")

    button(visitor.turn(0), "Try again").click()
    expect(visitor.page.locator(".bot version-pager")).to_contain_text("Loading…")
    visitor.network.cut()
    visitor.network.restore()
    expect_received(visitor, "version.load", count=3)


@pytest.mark.slow
def test_question_is_edited_in_place(show: Show) -> None:
    visitor = show("editing")
    editor = visitor.page.get_by_label("Edit your message")
    editor.fill("How do I fry an egg?")
    visitor.page.reload()
    expect(editor).to_have_value("How do I fry an egg?")

    editor.press("Enter")

    visitor.expect_turn(0, "sending")
    assert visitor.transcript() == [["How do I fry an egg?", ""]]
    sent = expect_received(visitor, "message.send")
    assert sent["replaces"] == "human-3"
    accepted = human(7, sent["msg"]) | {"id": sent["id"], "replaces": "human-3"}
    visitor.server.send({"type": "message.accepted", "message": accepted})
    visitor.expect_turn(0, "accepted")
    expect(visitor.page.locator(".human version-pager")).to_contain_text("3/3")
    expect(button(visitor.turn(0), "Edit")).to_have_attribute("aria-disabled", "true")


@pytest.mark.slow
def test_edit_is_cancelled(show: Show) -> None:
    visitor = show("editing")

    visitor.page.keyboard.press("Escape")

    expect(visitor.page.locator("question-editor")).to_have_count(0)
    assert visitor.server.received == []


@pytest.mark.slow
def test_refused_edit_is_kept_below_what_it_should_have_replaced(show: Show) -> None:
    visitor = show("editing")
    visitor.page.keyboard.press("Enter")
    sent = expect_received(visitor, "message.send")
    error = {"type": "error", "code": "message.invalid", "detail": "No.", "ref": sent["id"]}

    visitor.server.send(error)

    visitor.expect_turn(0, "done", "ice water")
    visitor.expect_turn(1, "rejected")


@pytest.mark.slow
def test_reply_goes_on_in_its_place(show: Show) -> None:
    visitor = show("versions")
    text = EGGS[-1]["msg"]
    continued = {**bot(7, 3, f"{text} Peel it."), "replaces": "bot-6", "continues": "bot-6"}

    button(visitor.turn(0), "Continue").click()
    request = expect_received(visitor, "reply.continue")
    visitor.server.send(started(3, 7, "bot-6"))
    visitor.expect_turn(0, "streaming", text)
    visitor.server.send(completed(continued))

    assert request == {"type": "reply.continue", "reply_to": "human-3"}
    visitor.expect_turn(0, "done", "Peel it.")
    expect(visitor.page.locator(".bot version-pager")).to_contain_text("3/3")
    expect(visitor.page.locator("#announcer")).to_have_text("Peel it.")


@pytest.mark.slow
def test_versions_of_an_expired_conversation_are_read_from_the_copy(show: Show) -> None:
    visitor = show("earlier_question")
    kept = """async ([token, text]) => {
      const { load } = await import("/static/chat/archive.js");
      return (await load(token)).some(({ msg }) => msg === text);
    }"""
    visitor.page.wait_for_function(kept, arg=[visitor.token(), EDITED["msg"]])
    visitor.server.send({"type": "session.expired", "expires_at": "2030-01-01T00:00:00Z"})
    expect(visitor.notices).to_contain_text("expired")
    visitor.page.reload()

    button(visitor.page.locator(".human"), "Previous version").click()

    expect(visitor.page.locator("reply-text")).to_contain_text("eight")
    expect(button(visitor.turn(0), "Use this version")).to_have_count(0)
    button(visitor.page.locator(".human"), "Next version").click()
    button(visitor.page.locator(".bot"), "Previous version").click()
    expect(visitor.turn(0)).to_contain_text("This browser has no copy of this version.")


@pytest.mark.slow
def test_targets_are_large_on_touch_screens(show: Show) -> None:
    page = show("earlier_reply").page
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.wait_for_function("matchMedia('(pointer: coarse)').matches")

    for name in ("Previous version", "Next version", "Use this version"):
        box = button(page.locator(".bot"), name).bounding_box()
        assert box
        assert box["height"] >= 40
        assert box["width"] >= 40


@pytest.mark.slow
def test_versions_on_a_running_site(new_visitor: NewVisitor, model_stub: ModelStub) -> None:
    model_stub.script(
        *(Behaviour(text=text) for text in ("one", "two", "edited", "follow-up")),
    )
    visitor = new_visitor().start()
    other = new_visitor(beside=visitor).open()
    visitor.send("hello")
    visitor.expect_turn(0, "done", "one")
    visitor.turn(0).hover()
    button(visitor.turn(0), "Regenerate").click()
    visitor.expect_turn(0, "done", "two")

    button(visitor.page.locator(".bot"), "Previous version").click()
    visitor.expect_turn(0, "done", "one")
    button(visitor.turn(0), "Use this version").click()
    other.expect_turn(0, "done", "one")

    visitor.page.keyboard.press("Alt+ArrowUp")
    visitor.page.get_by_label("Edit your message").fill("goodbye")
    visitor.page.keyboard.press("Enter")
    other.expect_turn(0, "done", "edited")
    button(other.page.locator(".human"), "Previous version").click()
    other.expect_turn(0, "done", "one")
    other.send("and then?")

    for tab in (visitor, other, new_visitor(beside=visitor).open()):
        tab.expect_turn(1, "done", "follow-up")
        assert tab.transcript() == [["hello", "one"], ["and then?", "follow-up"]]
        expect(tab.page.locator(".human version-pager")).to_contain_text("1/2")
        expect(tab.page.locator(".bot version-pager")).to_contain_text("1/2")
    assert "goodbye" not in json.dumps(model_stub.requests[-1].payload)
