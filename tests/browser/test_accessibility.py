"""Keyboard, screen reader, languages, colour schemes, print, and a tab in the background."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.frames import bot, completed, delta, human, started
from tests.browser.states import MESSAGES
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Show, Visitor
from tests.processes import Stack

HAS_VISIBLE_FOCUS = """() => {
  const focused = document.activeElement; // the border of the message box includes its buttons
  const style = getComputedStyle(focused.id === "message" ? focused.form : focused);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
RECORD_ANNOUNCEMENTS = """() => {
  window.announced = [];
  const announcer = document.getElementById("announcer");
  new MutationObserver(() => announced.push(announcer.textContent))
    .observe(announcer, { childList: true, subtree: true });
}"""
RECORD_SHIFTS = """window.shifts = 0;
  new PerformanceObserver((list) => { for (const { value } of list.getEntries()) shifts += value; })
    .observe({ type: "layout-shift", buffered: true });"""
BACKGROUND = "() => getComputedStyle(document.documentElement).backgroundColor"
DIRECTION = "(element) => getComputedStyle(element).direction"


@pytest.fixture
def scripted(new_visitor: NewVisitor) -> ScriptedVisitor:
    """A conversation of one message whose reply the test sends."""
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.start_with([human(1, "hi")])
    return visitor


def test_tab_reaches_every_control_and_shows_its_focus(show: Show) -> None:
    page = show("conversation").page
    page.evaluate("document.activeElement.blur()")
    expected = page.locator("button:visible, textarea:visible, a[href]:visible").count()
    page.evaluate("() => { window.reached = new Set(); }")

    for _ in range(expected + 5):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        if focused.startswith("<body"):
            continue
        page.evaluate("() => { reached.add(document.activeElement); }")
        assert page.evaluate(HAS_VISIBLE_FOCUS), focused

    assert page.evaluate("reached.size") >= expected


def test_shortcuts_do_what_their_list_says(show: Show) -> None:
    visitor = show("conversation", permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page

    page.locator("#transcript").focus()
    page.keyboard.press("?")
    expect(visitor.dialog).to_contain_text("Shortcuts")
    page.keyboard.press("Escape")
    expect(visitor.dialog).to_have_count(0)

    page.keyboard.press("/")
    expect(visitor.composer).to_be_focused()
    page.keyboard.press("?")
    expect(visitor.composer).to_have_value("?")
    visitor.composer.fill("")

    page.keyboard.press("Alt+c")
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Sure. Sure.")

    page.keyboard.press("Alt+r")
    visitor.expect_turn(1, "requested")
    assert visitor.server.received_types()[-1] == "reply.regenerate"
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopping…")).to_be_visible()
    assert visitor.server.received_types()[-1] == "reply.stop"

    page.keyboard.press("Alt+l")
    expect(page.locator(".sidebar-open[aria-current=true]")).to_be_focused()
    visitor.server.messages = []
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("Hi Ada")).to_be_visible()
    expect(visitor.composer).to_be_focused()


def test_single_key_shortcuts_can_be_disabled(show: Show) -> None:
    visitor = show("settings")
    visitor.dialog.get_by_label("Enable single-key shortcuts (? and /)").uncheck()
    visitor.page.keyboard.press("Escape")
    visitor.page.locator("#transcript").focus()

    visitor.page.keyboard.press("/")
    visitor.page.keyboard.press("?")

    expect(visitor.page.locator("#transcript")).to_be_focused()
    expect(visitor.dialog).to_have_count(0)


def test_drawer_traps_the_focus_and_returns_it(show: Show) -> None:
    page = show("drawer").page
    expect(page.get_by_role("button", name="Close the list")).to_be_focused()
    assert page.evaluate("document.getElementById('page').inert")

    page.keyboard.press("Escape")

    expect(page.locator("#open-sidebar")).to_be_focused()
    assert not page.evaluate("document.getElementById('page').inert")


def test_finished_reply_is_announced_once(scripted: ScriptedVisitor) -> None:
    page = scripted.page
    page.evaluate(RECORD_ANNOUNCEMENTS)

    scripted.server.send(started(1), delta(1, 0, "one "), delta(1, 4, "two"))
    expect(page.locator("reply-text")).to_have_text("one two")
    assert page.evaluate("announced") == []
    assert page.locator("#transcript").get_attribute("aria-live") == "off"
    scripted.server.send(completed({**bot(2, 1, "one two"), "id": "bot-1"}))
    scripted.expect_turn(0, "done")

    assert page.evaluate("announced") == ["one two"]


def test_title_of_a_background_tab_counts_new_replies(scripted: ScriptedVisitor) -> None:
    expect(scripted.page).to_have_title("hi · Chat")

    scripted.page.evaluate(HIDE, True)
    scripted.server.send(completed(bot(2, 1, "hello")))
    expect(scripted.page).to_have_title("(1) New reply · hi · Chat")
    scripted.page.evaluate(HIDE, False)

    expect(scripted.page).to_have_title("hi · Chat")


def test_page_is_german_in_a_german_browser(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(locale="de-DE").open()
    expect(visitor.page.locator("html")).to_have_attribute("lang", "de")
    expect(visitor.page.get_by_label("Ihr Name")).to_be_visible()
    visitor.enter_name("Ada")

    expect(visitor.page.get_by_text("Hallo Ada, worüber möchten Sie sprechen?")).to_be_visible()
    visitor.network.cut()
    expect(visitor.notices).to_contain_text("Keine Verbindung.")


def test_language_is_chosen_by_its_own_name(visitor: Visitor) -> None:
    visitor.composer.fill("half a thought")
    visitor.click("Settings and shortcuts")
    visitor.dialog.get_by_role("button", name="Deutsch").click()

    expect(visitor.page.locator("html")).to_have_attribute("lang", "de")
    expect(visitor.page.get_by_role("button", name="Neues Gespräch", exact=True)).to_be_visible()
    expect(visitor.composer).to_have_value("half a thought")
    visitor.click("Einstellungen und Tastenkürzel")
    expect(visitor.dialog.get_by_role("button", name="English", exact=True)).to_be_visible()


def test_theme_follows_the_system_until_the_visitor_chooses(visitor: Visitor) -> None:
    page = visitor.page
    page.emulate_media(color_scheme="light")
    light = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(BACKGROUND) != light

    visitor.click("Settings and shortcuts")
    visitor.dialog.get_by_label("Light").check()
    assert page.evaluate(BACKGROUND) == light
    page.reload()

    assert page.evaluate(BACKGROUND) == light


def test_text_has_the_direction_of_its_language(show: Show) -> None:
    page = show("many_languages").page

    assert page.locator(".human-text").nth(0).evaluate(DIRECTION) == "rtl"
    assert page.locator("reply-text ol").nth(1).evaluate(DIRECTION) == "rtl"
    assert page.locator(".human-text").nth(2).evaluate(DIRECTION) == "ltr"


def test_reduced_motion_stops_animations(show: Show) -> None:
    page = show("waiting_for_the_first_word", reduced_motion="reduce").page

    page.wait_for_function(
        "() => document.getAnimations().every((animation) => animation.playState === 'finished')"
    )


def test_printed_conversation_has_no_controls(show: Show) -> None:
    page = show("conversation").page
    page.emulate_media(media="print")

    expect(page.locator(".footer")).to_be_hidden()
    expect(page.locator("#sidebar")).to_be_hidden()
    assert page.locator("#transcript").evaluate("(it) => it.clientHeight === it.scrollHeight")


def test_layout_does_not_shift_while_the_page_opens(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.start_with(MESSAGES)
    visitor.page.add_init_script(RECORD_SHIFTS)

    visitor.page.reload()
    expect(visitor.page.locator(".turn").last).to_be_visible()
    expect(visitor.page.locator(".hljs-keyword").first).to_be_attached()

    assert visitor.page.evaluate("shifts") < 0.01


def test_only_files_of_this_site_may_run(new_visitor: NewVisitor, stack: Stack) -> None:
    visitor = new_visitor()
    response = visitor.page.goto(stack.url)
    assert response
    policy = response.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)
    set_html = (
        "() => { try { document.body.innerHTML = '<p>'; } catch ({ name }) { return name; } }"
    )
    assert visitor.page.evaluate(set_html) == "TypeError"
    visitor.errors.clear()  # the browser logs the violation
