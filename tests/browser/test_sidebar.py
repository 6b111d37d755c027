"""The sessions of a browser: start, rename, export, delete; and the form without JavaScript."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import requests
from playwright.sync_api import Browser, Locator, expect

from tests.browser.test_archive import kept_messages
from tests.browser.visitor import NewVisitor, Show, Visitor
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack


def entries(visitor: Visitor) -> Locator:
    return visitor.page.locator(".sidebar-entry")


def open_options(visitor: Visitor, name: str) -> Locator:
    visitor.click(f"Options for {name}")
    return visitor.dialog


def start_another(visitor: Visitor) -> None:
    """Start a conversation; the name is not asked again."""
    visitor.click("New conversation")
    expect(visitor.page.locator("h1")).to_have_text("New conversation")
    expect(visitor.page.get_by_text("Hi Ada, what would you like to talk about?")).to_be_visible()


def test_sidebar_switches_between_conversations(visitor: Visitor) -> None:
    visitor.send("**Trees** and `shrubs`")
    visitor.expect_turn(0, "done")
    start_another(visitor)
    visitor.send("Rivers")
    visitor.expect_turn(0, "done")
    visitor.composer.fill("a draft about rivers")

    expect(entries(visitor)).to_have_count(2)
    expect(entries(visitor).nth(1).locator(".sidebar-name")).to_have_text("Trees and shrubs")
    expect(entries(visitor).nth(1)).to_contain_text("You said: Trees and shrubs")
    expect(visitor.page.locator("#sidebar h3")).to_have_text("Today")
    entries(visitor).nth(1).locator(".sidebar-open").click()

    visitor.expect_turn(0, "done", "You said: Trees and shrubs")
    expect(visitor.composer).to_have_value("")
    entries(visitor).nth(0).locator(".sidebar-open").click()
    visitor.expect_turn(0, "done", "You said: Rivers")
    expect(visitor.composer).to_have_value("a draft about rivers")


def test_name_is_asked_once(show: Show) -> None:
    visitor = show("conversation")
    visitor.server.messages = []

    with visitor.page.expect_request("**/token") as created:
        start_another(visitor)

    assert created.value.post_data_json == {"name": "Ada"}
    expect(visitor.page.locator("#name")).to_be_hidden()
    expect(visitor.composer).to_be_focused()


def test_conversations_are_grouped_by_day_and_month(show: Show) -> None:
    visitor = show("sidebar", timezone_id="UTC")
    now = datetime.now(UTC)
    months = [now - timedelta(days=days) for days in (40, 400)]

    expect(visitor.page.locator("#sidebar h3")).to_have_text(
        ["Today", "Yesterday", "Previous 7 days"]
        + [f"{each:%B}" if each.year == now.year else f"{each:%B %Y}" for each in months]
    )


def test_unused_conversation_is_used_again(visitor: Visitor) -> None:
    token = visitor.token()

    start_another(visitor)

    assert visitor.token() == token
    expect(entries(visitor)).to_have_count(1)


def test_name_is_changed_in_the_settings(visitor: Visitor) -> None:
    visitor.click("Settings and shortcuts")
    visitor.dialog.get_by_label("Your name").fill("Grace")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Escape")

    visitor.click("New conversation")

    expect(visitor.page.get_by_text("Hi Grace, what would you like")).to_be_visible()


def test_reply_that_arrives_while_another_conversation_is_shown_is_marked(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="one two three", hold_after=1))
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one")
    start_another(visitor)
    model_stub.release()

    unread = visitor.page.locator(".sidebar-entry.unread")
    expect(unread).to_contain_text("New reply")
    expect(unread).to_contain_text("one two three")
    unread.locator(".sidebar-open").click()

    visitor.expect_turn(0, "done", "one two three")
    expect(unread).to_have_count(0)


def test_reply_that_arrives_while_the_tab_is_closed_is_marked(
    visitor: Visitor, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="one two three four", hold_after=1))
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one")
    start_another(visitor)
    visitor.page.close()
    model_stub.release()

    visitor = new_visitor(beside=visitor).open()

    expect(visitor.page.locator(".sidebar-entry.unread")).to_contain_text("one two three four")


def test_search_finds_titles_and_texts(visitor: Visitor) -> None:
    visitor.send("Über Bäume")
    visitor.expect_turn(0, "done")
    start_another(visitor)
    visitor.send("Rivers")
    visitor.expect_turn(0, "done")

    visitor.wait_until_kept(2)
    search = visitor.page.get_by_label("Search conversations")
    search.fill("said: uber BAUME")
    expect(entries(visitor)).to_have_count(1)
    expect(entries(visitor).locator("mark")).to_have_text("said: Über Bäume")
    search.fill("nothing like this")
    expect(visitor.page.get_by_role("status")).to_have_text("No conversation contains this.")
    search.press("Escape")

    expect(search).to_have_value("")
    expect(entries(visitor)).to_have_count(2)


def test_conversation_is_renamed(visitor: Visitor) -> None:
    dialog = open_options(visitor, "New conversation")

    dialog.get_by_label("Title").fill("Engines")
    dialog.get_by_role("button", name="Rename").click()

    expect(entries(visitor)).to_contain_text("Engines")
    visitor.page.reload()
    expect(visitor.page.locator("h1")).to_have_text("Engines")


def test_open_conversation_is_exported(visitor: Visitor) -> None:
    visitor.send("hello")
    visitor.expect_turn(0, "done")

    with visitor.page.expect_download() as markdown:
        open_options(visitor, "hello").get_by_role("button", name="Export as Markdown").click()
    with visitor.page.expect_download() as data:
        open_options(visitor, "hello").get_by_role("button", name="Export as JSON").click()

    text = Path(markdown.value.path()).read_text()
    assert markdown.value.suggested_filename == "hello.md"
    assert text.startswith("# hello\n")
    assert text.index("hello") < text.index("You said: hello")
    messages = json.loads(Path(data.value.path()).read_text())["messages"]
    assert [(message["source"], message["msg"]) for message in messages] == [
        ("human", "hello"),
        ("bot", "You said: hello"),
    ]


def test_conversation_that_is_not_open_is_exported(visitor: Visitor) -> None:
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    start_another(visitor)

    with visitor.page.expect_download() as data:
        open_options(visitor, "hello").get_by_role("button", name="Export as JSON").click()

    messages = json.loads(Path(data.value.path()).read_text())["messages"]
    assert [message["msg"] for message in messages] == ["hello", "You said: hello"]


def test_deleted_conversation_is_gone_here_and_on_the_server(
    new_visitor: NewVisitor, stack: Stack
) -> None:
    visitor = new_visitor().start()
    beside = new_visitor(beside=visitor).open()
    expect(beside.composer).to_be_visible()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    token = visitor.token()
    visitor.wait_until_kept(2)

    dialog = open_options(visitor, "hello")
    dialog.locator("summary").filter(has_text="Delete…").click()
    expect(dialog).to_contain_text("Deleted conversations leave the server's disk within")
    dialog.get_by_role("button", name="Delete permanently").click()

    expect(visitor.page.get_by_label("Your name")).to_be_visible()
    assert visitor.page.evaluate("JSON.stringify(localStorage)").count(token) == 0
    assert kept_messages(visitor.page, token) == []
    response = requests.get(
        f"{stack.url}/refresh_token", headers={"Authorization": f"Bearer {token}"}, timeout=5
    )
    assert response.status_code == 400
    expect(beside.notices).to_contain_text(re.compile("has expired|no longer exists"))


def test_name_form_works_without_javascript(chromium: Browser, stack: Stack) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stack.url)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(f"{stack.url}/")
    [cookie] = [cookie for cookie in context.cookies() if cookie["name"] == "chat_token"]
    assert UUID(cookie["value"])
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"

    # With JavaScript, the page adopts the session.
    scripted = chromium.new_context()
    scripted.add_cookies([{"name": "chat_token", "value": cookie["value"], "url": stack.url}])
    visitor = Visitor(scripted.new_page(), stack.url).open()
    expect(visitor.page.get_by_text("Hi Ada, what would you like to talk about?")).to_be_visible()
    visitor.send("hello")
    visitor.expect_turn(0, "done", "You said: hello")
    assert visitor.token() == cookie["value"]
    context.close()
    scripted.close()


def test_blank_name_is_rejected_without_javascript(chromium: Browser, stack: Stack) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stack.url)
    page.get_by_label("Your name").fill("   ")
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("alert")).to_have_text("Enter a valid name.")
    assert [cookie for cookie in context.cookies() if cookie["name"] == "chat_token"] == []
    context.close()
