"""Visitors rate replies, comment on their ratings, and revoke them."""

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.frames import bot, failed, human, rating
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Visitor

WIDTH = "(element) => element.getBoundingClientRect().width"


@pytest.fixture
def scripted(new_visitor: NewVisitor) -> ScriptedVisitor:
    """A conversation of one reply."""
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.start_with([human(1, "hi"), bot(2, 1, "Hello.")])
    return visitor


def thumb(visitor: Visitor, name: str) -> Locator:
    return visitor.page.get_by_role("button", name=name)


def rates(visitor: ScriptedVisitor) -> list[dict[str, Any]]:
    return [frame for frame in visitor.server.received if frame["type"] == "reply.rate"]


def wait_for_rates(visitor: ScriptedVisitor, count: int) -> dict[str, Any]:
    while len(rates(visitor)) < count:
        visitor.page.wait_for_timeout(10)
    return rates(visitor)[-1]


def test_a_choice_is_shown_once_it_is_stored_and_may_be_commented(
    scripted: ScriptedVisitor,
) -> None:
    good, bad = thumb(scripted, "Good reply"), thumb(scripted, "Bad reply")
    good.click()
    sent = {"type": "reply.rate", "id": "bot-2", "rating": "up", "comment": ""}
    assert wait_for_rates(scripted, 1) == sent
    expect(good).to_have_attribute("aria-pressed", "false")
    scripted.server.send(rating("bot-2", "up"))
    expect(good).to_have_attribute("aria-pressed", "true")
    expect(bad).to_have_attribute("aria-pressed", "false")

    field = scripted.page.get_by_label("What was good about it?")
    field.fill("  Friendly ")
    scripted.click("Send comment")
    assert wait_for_rates(scripted, 2) == sent | {"comment": "Friendly"}
    expect(good).to_be_focused()
    scripted.server.send(rating("bot-2", "up", "Friendly", 2))
    expect(scripted.page.get_by_role("status")).to_have_text("Thank you for your feedback.")
    scripted.click("Edit comment")
    expect(field).to_have_value("Friendly")
    field.press("Escape")
    expect(field).to_have_count(0)

    good.click()
    assert wait_for_rates(scripted, 3) == sent | {"rating": None}
    scripted.server.send(rating("bot-2", None, revision=3))
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(field).to_have_count(0)


def test_a_rating_made_offline_is_sent_later(scripted: ScriptedVisitor) -> None:
    scripted.server.send(rating("bot-2", "up", revision=7))
    expect(thumb(scripted, "Good reply")).to_have_attribute("aria-pressed", "true")
    scripted.network.cut()
    thumb(scripted, "Bad reply").click()
    scripted.network.restore()

    assert wait_for_rates(scripted, 1)["rating"] == "down"
    assert scripted.network.urls[-1].endswith("?after=2&ratings_revision=7")


def test_buttons_are_as_large_as_fingers(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(kind=ScriptedVisitor, has_touch=True)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.server.messages = [human(1, "hi"), bot(2, 1, "Hello.")]
    visitor.open()
    visitor.enter_name("Ada")
    assert thumb(visitor, "Good reply").evaluate(WIDTH) >= 40


def test_a_failed_reply_cannot_be_rated(scripted: ScriptedVisitor) -> None:
    expect(thumb(scripted, "Good reply")).to_have_count(1)
    scripted.server.send(failed(bot(3, 1, "")))
    expect(scripted.page.get_by_role("button", name="Retry")).to_be_visible()
    expect(thumb(scripted, "Good reply")).to_have_count(0)


@pytest.mark.slow
def test_another_tab_and_a_reload_show_the_rating(new_visitor: NewVisitor) -> None:
    visitor = new_visitor().start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    other = new_visitor(beside=visitor).open()
    other.expect_turn(0, "done")

    thumb(visitor, "Bad reply").click()
    visitor.page.get_by_label("What was wrong with it?").fill("Too short")
    visitor.click("Send comment")
    for tab in (visitor, other):
        expect(thumb(tab, "Bad reply")).to_have_attribute("aria-pressed", "true")
    expect(other.page.locator("reply-rating")).to_have_attribute("comment", "Too short")
    other.page.reload()
    expect(thumb(other, "Bad reply")).to_have_attribute("aria-pressed", "true")
