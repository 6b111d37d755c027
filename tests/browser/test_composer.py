"""The message box and its buttons, and the actions of code blocks."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.frames import delta, human, started
from tests.browser.states import exchanges
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Visitor

LONG_CODE = "\n".join(f"line_{number} = 'a value that is long'" for number in range(80))
WIDTHS = "(it) => [it.scrollWidth, it.clientWidth]"


@pytest.fixture
def scripted(new_visitor: NewVisitor) -> ScriptedVisitor:
    visitor = new_visitor(kind=ScriptedVisitor, permissions=["clipboard-read", "clipboard-write"])
    assert isinstance(visitor, ScriptedVisitor)
    return visitor


def buttons(visitor: Visitor) -> Locator:
    return visitor.page.locator("#composer-buttons button")


def test_stop_takes_the_place_of_send_while_a_reply_is_in_progress(
    scripted: ScriptedVisitor,
) -> None:
    scripted.start_with([human(1, "hi")])
    scripted.server.send(started(1), delta(1, 0, "Hello"))
    expect(buttons(scripted)).to_have_count(1)
    expect(buttons(scripted)).to_have_accessible_name("Stop the reply")

    scripted.composer.fill("a second question")
    expect(buttons(scripted)).to_have_count(2)
    expect(buttons(scripted).last).to_have_accessible_name("Send")
    scripted.composer.fill("")
    buttons(scripted).click()

    expect(buttons(scripted)).to_have_accessible_name("Send")
    assert scripted.server.received_types() == ["reply.stop"]


def test_send_is_disabled_with_a_reason(scripted: ScriptedVisitor) -> None:
    scripted.start()
    send = buttons(scripted)
    expect(send).to_have_attribute("aria-disabled", "true")
    expect(send).to_have_attribute("title", "Type a message first")

    scripted.composer.fill("x" * 2001)
    expect(send).to_have_attribute("title", "1 character too many")
    send.click(force=True)
    expect(scripted.page.locator("#announcer")).to_have_text("1 character too many")
    scripted.composer.fill("x")

    expect(send).to_have_attribute("aria-disabled", "false")
    assert scripted.server.received == []


def test_arrow_keys_recall_earlier_messages(scripted: ScriptedVisitor) -> None:
    scripted.start_with(exchanges(("first", "1"), ("second\nwith two lines", "2"), ("third", "3")))
    composer = scripted.composer

    for key, expected in (
        ("ArrowUp", "third"),
        ("ArrowUp", "second\nwith two lines"),
        ("ArrowUp", "second\nwith two lines"),  # the caret moves to the first line
        ("ArrowUp", "first"),
        ("ArrowUp", "first"),
        ("ArrowDown", "second\nwith two lines"),
        ("ArrowDown", "third"),
        ("ArrowDown", ""),
    ):
        composer.press(key)
        expect(composer).to_have_value(expected)

    composer.fill("my own words")
    composer.press("ArrowUp")
    expect(composer).to_have_value("my own words")


def test_message_box_is_in_the_middle_until_the_first_message(visitor: Visitor) -> None:
    def share_above() -> float:
        box, screen = visitor.composer.bounding_box(), visitor.page.viewport_size
        assert box
        assert screen
        return box["y"] / screen["height"]

    assert 0.3 < share_above() < 0.6

    visitor.send("hello")
    visitor.expect_turn(0, "done")

    assert share_above() > 0.85


def test_copying_is_confirmed_by_a_tick(scripted: ScriptedVisitor) -> None:
    scripted.start_with(exchanges(("hello", "Hello!")))
    copy = scripted.turn(0).locator(".bot").get_by_role("button", name="Copy")
    expect(copy.locator(".check")).to_be_hidden()

    copy.click()

    expect(copy.locator(".check")).to_be_visible()
    assert scripted.page.evaluate("navigator.clipboard.readText()") == "Hello!"


def test_header_of_a_long_code_block_stays_visible(scripted: ScriptedVisitor) -> None:
    scripted.start_with(exchanges(("show me", f"```python\n{LONG_CODE}\n```\n\nDone.")))
    expect(scripted.page.locator(".hljs-number, .hljs-string").first).to_be_attached()
    scripted.page.locator("#transcript").hover()
    scripted.page.mouse.wheel(0, -600)
    expect(scripted.page.locator(".jump")).to_be_visible()
    figure = scripted.page.locator("figure.code")

    copy = figure.get_by_role("button", name="Copy")
    expect(copy).to_be_in_viewport()
    copy.click()

    expect(copy).to_contain_class("done")
    assert scripted.page.evaluate("navigator.clipboard.readText()") == LONG_CODE


def test_lines_of_code_wrap_when_asked(scripted: ScriptedVisitor) -> None:
    scripted.start_with(exchanges(("show me", f"```text\n{'a long line ' * 50}\n```")))
    figure = scripted.page.locator("figure.code")
    wrap, code = figure.get_by_role("button", name="Wrap lines"), figure.locator("pre")
    content, visible = code.evaluate(WIDTHS)
    assert content > visible

    wrap.click()

    expect(wrap).to_have_attribute("aria-pressed", "true")
    content, visible = code.evaluate(WIDTHS)
    assert content == visible


def test_actions_appear_on_hover_and_focus(scripted: ScriptedVisitor) -> None:
    scripted.start_with(exchanges(("one", "1"), ("two", "2")))
    hidden = scripted.turn(0).locator(".human .turn-buttons")
    expect(hidden).to_have_css("opacity", "0")

    scripted.turn(0).hover()
    expect(hidden).to_have_css("opacity", "1")
    scripted.composer.hover()
    expect(hidden).to_have_css("opacity", "0")
    hidden.get_by_role("button", name="Copy").focus()

    expect(hidden).to_have_css("opacity", "1")
