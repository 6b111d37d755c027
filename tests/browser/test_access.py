"""The page by keyboard, by ear, in another language, in other colours, in the background."""

import re

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.frames import bot, completed, delta, human, started
from tests.browser.states import SHOWN, Scripted, show
from tests.browser.visitor import NewVisitor, Visitor
from tests.processes import Stack

FOCUS_IS_SEEN = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def sent_types(scripted: Scripted) -> list[str]:
    return [frame["type"] for frame in scripted.sent]


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def test_every_control_is_reached_by_tab_and_shows_its_focus(
    chromium: Browser, stack: Stack
) -> None:
    page = show(chromium, stack.url, "talk").page
    page.evaluate("document.activeElement.blur()")
    wanted = page.locator("button:visible, textarea:visible, a[href]:visible").count()
    reached = set()

    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        if focused.startswith("<body"):
            continue
        reached.add(focused)
        assert page.evaluate(FOCUS_IS_SEEN), focused
    page.context.close()

    assert len(reached) >= wanted


def test_shortcuts_do_what_the_list_says(chromium: Browser, stack: Stack) -> None:
    scripted = show(chromium, stack.url, "talk", permissions=["clipboard-read", "clipboard-write"])
    page = scripted.page
    box = page.locator("#message")

    page.locator("#transcript").focus()
    page.keyboard.press("?")
    expect(dialog(page)).to_contain_text("Shortcuts")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)

    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.press("?")
    expect(box).to_have_value("?")
    box.fill("")

    page.keyboard.press("Alt+c")
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("Sure. Sure.")

    page.keyboard.press("Alt+r")
    expect(page.locator("[data-phase=requested]")).to_have_count(1)
    assert sent_types(scripted)[-1] == "reply.regenerate"
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopping…")).to_be_visible()
    assert sent_types(scripted)[-1] == "reply.stop"

    page.keyboard.press("Alt+l")
    expect(page.locator(".sidebar-open[aria-current=true]")).to_be_focused()
    page.keyboard.press("Alt+n")
    expect(page.get_by_label("Your name")).to_be_focused()
    page.context.close()


def test_single_keys_can_be_switched_off(chromium: Browser, stack: Stack) -> None:
    page = show(chromium, stack.url, "settings").page
    dialog(page).get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    page.locator("#transcript").focus()

    page.keyboard.press("/")
    page.keyboard.press("?")

    expect(page.locator("#transcript")).to_be_focused()
    expect(dialog(page)).to_have_count(0)
    page.context.close()


def test_the_drawer_keeps_the_focus_and_gives_it_back(chromium: Browser, stack: Stack) -> None:
    page = show(chromium, stack.url, "drawer").page
    expect(page.get_by_role("button", name="Close the list")).to_be_focused()
    assert page.evaluate("document.getElementById('page').inert")

    page.keyboard.press("Escape")

    expect(page.locator("#open-sidebar")).to_be_focused()
    assert not page.evaluate("document.getElementById('page').inert")
    page.context.close()


def test_a_finished_reply_is_announced_once(chromium: Browser, stack: Stack) -> None:
    scripted = Scripted(chromium.new_context(), stack.url)
    page = scripted.page
    scripted.begin([human(1, "hi")])
    page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(() => said.push(document.getElementById("announcer").textContent))
            .observe(document.getElementById("announcer"), { childList: true, subtree: true });
        }"""
    )

    scripted.tell(started(1), delta(1, 0, "one "), delta(1, 4, "two"))
    expect(page.locator("reply-text")).to_have_text("one two")
    assert page.evaluate("said") == []
    assert page.locator("#transcript").get_attribute("aria-live") == "off"
    scripted.tell(completed({**bot(2, 1, "one two"), "id": "bot-1"}))
    expect(page.locator("[data-phase=done]")).to_have_count(1)

    assert page.evaluate("said") == ["one two"]
    page.context.close()


def test_the_title_tells_of_a_reply_in_the_background(chromium: Browser, stack: Stack) -> None:
    scripted = Scripted(chromium.new_context(), stack.url)
    page = scripted.page
    scripted.begin([human(1, "hi")])
    expect(page).to_have_title("Ada · Chat")

    page.evaluate(HIDE, True)
    scripted.tell(completed(bot(2, 1, "hello")))
    expect(page).to_have_title("(1) New reply · Ada · Chat")
    page.evaluate(HIDE, False)

    expect(page).to_have_title("Ada · Chat")
    page.context.close()


def test_the_page_speaks_german(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(locale="de-DE").arrive()
    expect(visitor.page.locator("html")).to_have_attribute("lang", "de")
    visitor.page.get_by_label("Ihr Name").fill("Ada")
    visitor.page.keyboard.press("Enter")

    expect(visitor.page.get_by_text("Hallo Ada, worüber möchten Sie sprechen?")).to_be_visible()
    visitor.network.cut()
    expect(visitor.page.locator("#notices")).to_contain_text("Keine Verbindung.")


def test_the_language_is_chosen_in_the_settings(visitor: Visitor) -> None:
    visitor.box.fill("half a thought")
    visitor.page.get_by_role("button", name="Settings and shortcuts").first.click()

    dialog(visitor.page).get_by_role("button", name="Deutsch").click()

    expect(visitor.page.locator("html")).to_have_attribute("lang", "de")
    expect(visitor.page.get_by_role("button", name="Neues Gespräch")).to_be_visible()
    expect(visitor.box).to_have_value("half a thought")


def test_colours_follow_the_system_and_the_readers_choice(visitor: Visitor) -> None:
    page = visitor.page
    paper = "() => getComputedStyle(document.documentElement).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light != dark

    page.get_by_role("button", name="Settings and shortcuts").first.click()
    dialog(page).get_by_label("Light").check()
    assert page.evaluate(paper) == light
    page.reload()

    assert page.evaluate(paper) == light


def test_text_runs_in_its_own_direction(chromium: Browser, stack: Stack) -> None:
    page = show(chromium, stack.url, "many_languages").page
    direction = "(element) => getComputedStyle(element).direction"

    assert page.locator(".human-text").nth(0).evaluate(direction) == "rtl"
    assert page.locator("reply-text ol").nth(1).evaluate(direction) == "rtl"
    assert page.locator(".human-text").nth(2).evaluate(direction) == "ltr"
    page.context.close()


def test_reduced_motion_moves_nothing(chromium: Browser, stack: Stack) -> None:
    page = show(chromium, stack.url, "waiting_for_the_first_word", reduced_motion="reduce").page

    page.wait_for_function(
        "() => document.getAnimations().every((animation) => animation.playState === 'finished')"
    )
    page.context.close()


def test_a_printed_talk_has_no_controls(chromium: Browser, stack: Stack) -> None:
    page = show(chromium, stack.url, "talk").page
    page.emulate_media(media="print")

    expect(page.locator(".foot")).to_be_hidden()
    expect(page.locator("#sidebar")).to_be_hidden()
    height = page.evaluate("document.getElementById('talk').clientHeight")
    assert height == page.evaluate("document.getElementById('talk').scrollHeight")
    page.context.close()


def test_nothing_shifts_while_the_page_opens(chromium: Browser, stack: Stack) -> None:
    scripted = Scripted(chromium.new_context(), stack.url)
    scripted.begin(SHOWN)
    scripted.page.add_init_script(
        """window.shifts = 0;
        new PerformanceObserver((list) => {
          for (const { value } of list.getEntries()) shifts += value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )

    scripted.page.reload()
    expect(scripted.page.locator(".turn").last).to_be_visible()
    expect(scripted.page.locator(".hljs-keyword").first).to_be_attached()

    assert scripted.page.evaluate("shifts") < 0.01
    scripted.page.context.close()


def test_only_this_sites_own_files_may_run(new_visitor: NewVisitor, stack: Stack) -> None:
    visitor = new_visitor()
    answer = visitor.page.goto(stack.url)
    assert answer
    policy = answer.headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)
    refused = (
        "() => { try { document.body.innerHTML = '<p>'; } catch (error) { return error.name; } }"
    )
    assert visitor.page.evaluate(refused) == "TypeError"
    visitor.errors.clear()
