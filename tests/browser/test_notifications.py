"""Notifications about replies in hidden tabs. The browser's own are replaced by a record."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.frames import accepted, bot, completed, human, started
from tests.browser.test_accessibility import HIDE
from tests.browser.visitor import NewVisitor, ScriptedVisitor

LABEL = "Notify me when a reply is ready and this tab is hidden"
TEXT_LABEL = "Show the beginning of the reply"
# `answer` is what the visitor answers when the browser asks. Chrome for Android has no constructor.
RECORD = """(() => {
  const { answer, hasConstructor } = %s;
  window.shown = [];
  window.asked = 0;
  window.focus = () => { window.wasFocused = true; };
  window.Notification = class {
    static permission = sessionStorage.permission ?? "default";
    static async requestPermission() {
      window.asked += 1;
      sessionStorage.permission = answer;
      return (Notification.permission = answer);
    }
    constructor(title, options) {
      if (!hasConstructor) throw new TypeError("Illegal constructor");
      window.shown.push({ title, ...options, notification: this });
    }
    close() {}
  };
  const showNotification = async (title, options) => { window.shown.push({ title, ...options }); };
  ServiceWorkerContainer.prototype.getRegistration = async () => ({ showNotification });
})()"""
SEEN_IN_ANOTHER_TAB = """([key, seenSeq]) => {
  const session = JSON.parse(localStorage.getItem(key));
  localStorage.setItem(key, JSON.stringify({ ...session, seenSeq }));
}"""
LISTEN = """() => {
  navigator.serviceWorker.addEventListener("message", ({ data }) => { window.told = data; });
  navigator.serviceWorker.startMessages();
}"""
CLICK = """async () => {
  const notification = { tag: "bot-2", close() {} };
  await openTab(notification).catch(() => {}); // only a real click may focus a window
}"""
SHOWN = "() => shown.map(({ title, body, tag }) => ({ title, body, tag }))"


def shown(page: Page) -> list[dict[str, Any]]:
    notifications: list[dict[str, Any]] = page.evaluate(SHOWN)
    return notifications


def wait_for_notification(page: Page) -> dict[str, Any]:
    page.wait_for_function("() => shown.length > 0")
    [notification] = shown(page)
    return notification


def start(
    new_visitor: NewVisitor, *, answer: str = "granted", has_constructor: bool = True
) -> ScriptedVisitor:
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    options = json.dumps({"answer": answer, "hasConstructor": has_constructor})
    visitor.page.add_init_script(RECORD % options)
    visitor.start_with([human(1, "A **secret** question")])
    return visitor


def turn_on(visitor: ScriptedVisitor, *, with_text: bool = False) -> None:
    visitor.click("Settings and shortcuts")
    visitor.dialog.get_by_label(LABEL).check()
    expect(visitor.dialog).to_contain_text("Notifications arrive while a tab of this site is open.")
    if with_text:
        visitor.dialog.get_by_label(TEXT_LABEL).check()
    visitor.page.keyboard.press("Escape")


def reply(visitor: ScriptedVisitor, *, hidden: bool) -> None:
    visitor.page.evaluate(HIDE, hidden)
    visitor.server.send(started(1), completed(bot(2, 1, "The **answer** is 42.")))
    expect(visitor.page.locator("#announcer")).to_contain_text("answer")


def test_nothing_is_asked_or_shown_until_the_visitor_wishes_it(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor)
    visitor.click("Settings and shortcuts")
    expect(visitor.dialog.get_by_label(LABEL)).not_to_be_checked()
    expect(visitor.dialog).to_contain_text("The browser will ask for your permission.")
    expect(visitor.dialog.get_by_label(TEXT_LABEL)).to_have_count(0)

    requested: list[str] = []
    visitor.page.on("request", lambda request: requested.append(request.url))
    reply(visitor, hidden=True)

    assert visitor.page.evaluate("asked") == 0
    assert not [url for url in requested if "notifications.js" in url]


def test_reply_in_a_hidden_tab_is_notified_of_without_its_text(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor)
    turn_on(visitor)
    assert visitor.page.evaluate("asked") == 1

    reply(visitor, hidden=True)

    assert wait_for_notification(visitor.page) == {"title": "New reply", "body": "", "tag": "bot-2"}
    visitor.page.evaluate("shown[0].notification.onclick()")
    assert visitor.page.evaluate("wasFocused")


@pytest.mark.slow
def test_text_is_shown_by_choice(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor)
    turn_on(visitor, with_text=True)

    reply(visitor, hidden=True)

    notification = wait_for_notification(visitor.page)
    assert notification["body"] == "A secret question\nThe answer is 42."


def test_reply_that_a_visible_tab_shows_is_not_notified_of(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor)
    turn_on(visitor)
    page = visitor.page

    reply(visitor, hidden=False)
    page.evaluate(HIDE, True)
    page.evaluate(SEEN_IN_ANOTHER_TAB, [f"chat.session.{visitor.token()}", 4])
    for seq in (3, 5):
        visitor.server.send(
            accepted(seq, "And?"), started(seq), completed(bot(seq + 1, seq, f"Reply {seq + 1}"))
        )

    assert wait_for_notification(page)["tag"] == "bot-6"


@pytest.mark.slow
def test_reply_in_a_followed_conversation_opens_it(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor)
    turn_on(visitor)
    first = visitor.token()
    connection = visitor.server._open[-1]
    visitor.server.messages = []
    visitor.click("New conversation")
    expect(visitor.page.locator(".greeting")).to_be_visible()
    assert visitor.token() != first

    visitor.page.evaluate(HIDE, True)
    for frame in (started(1), completed(bot(2, 1, "The answer"))):
        connection.send(json.dumps(frame))
    wait_for_notification(visitor.page)
    visitor.server.messages = [human(1, "A question"), bot(2, 1, "The answer")]
    visitor.page.evaluate("shown[0].notification.onclick()")

    assert visitor.token() == first
    visitor.expect_turn(0, "done", "The answer")


@pytest.mark.parametrize("answer", [pytest.param("default", marks=pytest.mark.slow), "denied"])
def test_visitor_who_does_not_permit_them_has_none(new_visitor: NewVisitor, answer: str) -> None:
    visitor = start(new_visitor, answer=answer)
    visitor.click("Settings and shortcuts")
    switch = visitor.dialog.get_by_label(LABEL)

    switch.click()

    expect(switch).not_to_be_checked()
    if answer == "denied":
        expect(visitor.dialog).to_contain_text("This browser blocks notifications of this site.")
        expect(switch).to_be_disabled()
    assert visitor.page.evaluate("localStorage.getItem('chat.notifications')") is None


@pytest.mark.slow
def test_phone_shows_them_through_the_service_worker(new_visitor: NewVisitor) -> None:
    visitor = start(new_visitor, has_constructor=False)
    turn_on(visitor)

    reply(visitor, hidden=True)
    notification = wait_for_notification(visitor.page)

    assert notification["title"] == "New reply"


@pytest.mark.slow
def test_click_on_a_notification_of_the_worker_reaches_the_page(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(service_workers="allow", permissions=["notifications"]).start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.wait_for_worker()
    visitor.page.evaluate(LISTEN)
    [worker] = visitor.page.context.service_workers

    worker.evaluate(CLICK)

    visitor.page.wait_for_function("() => window.told")
    assert visitor.page.evaluate("told") == {"type": "notification.clicked", "tag": "bot-2"}
