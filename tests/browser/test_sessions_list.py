"""The sessions of a browser: begin, name, export, erase; and a form that needs no script."""

import json
import re
from pathlib import Path
from uuid import UUID

import requests
from playwright.sync_api import Browser, Locator, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.processes import Stack


def entries(visitor: Visitor) -> Locator:
    return visitor.page.locator(".sidebar-entry")


def options_of(visitor: Visitor, name: str) -> Locator:
    visitor.page.get_by_role("button", name=f"Options for {name}").click()
    return visitor.page.get_by_role("dialog")


def token(visitor: Visitor) -> str:
    value: str = visitor.page.evaluate("localStorage.getItem('chat.current')")
    return value


def begin_another(visitor: Visitor, name: str) -> None:
    visitor.page.get_by_role("button", name="New conversation").click()
    visitor.page.get_by_label("Your name").fill(name)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("h1")).to_have_text(name)


def test_the_list_goes_from_one_talk_to_another(visitor: Visitor) -> None:
    visitor.say("I am Ada")
    visitor.sees(0, "done")
    begin_another(visitor, "Grace")
    visitor.say("I am Grace")
    visitor.sees(0, "done")
    visitor.box.fill("Grace's draft")

    expect(entries(visitor)).to_have_count(2)
    expect(entries(visitor).nth(1)).to_contain_text("You said: I am Ada")
    entries(visitor).nth(1).locator(".sidebar-open").click()

    visitor.sees(0, "done", "You said: I am Ada")
    expect(visitor.box).to_have_value("")
    entries(visitor).nth(0).locator(".sidebar-open").click()
    visitor.sees(0, "done", "You said: I am Grace")
    expect(visitor.box).to_have_value("Grace's draft")


def test_a_talk_is_renamed(visitor: Visitor) -> None:
    dialog = options_of(visitor, "Ada")

    dialog.get_by_label("Title").fill("Engines")
    dialog.get_by_role("button", name="Rename").click()

    expect(entries(visitor)).to_contain_text("Engines")
    visitor.page.reload()
    expect(visitor.page.locator("h1")).to_have_text("Engines")


def test_a_talk_is_exported(visitor: Visitor) -> None:
    visitor.say("hello")
    visitor.sees(0, "done")

    with visitor.page.expect_download() as markdown:
        options_of(visitor, "Ada").get_by_role("button", name="Export as Markdown").click()
    with visitor.page.expect_download() as data:
        options_of(visitor, "Ada").get_by_role("button", name="Export as JSON").click()

    text = Path(markdown.value.path()).read_text()
    assert markdown.value.suggested_filename == "Ada.md"
    assert text.startswith("# Ada\n")
    assert text.index("hello") < text.index("You said: hello")
    messages = json.loads(Path(data.value.path()).read_text())["messages"]
    assert [(said["source"], said["msg"]) for said in messages] == [
        ("human", "hello"),
        ("bot", "You said: hello"),
    ]


def test_a_talk_that_is_not_shown_is_exported_too(visitor: Visitor) -> None:
    visitor.say("hello")
    visitor.sees(0, "done")
    begin_another(visitor, "Grace")

    with visitor.page.expect_download() as data:
        options_of(visitor, "Ada").get_by_role("button", name="Export as JSON").click()

    messages = json.loads(Path(data.value.path()).read_text())["messages"]
    assert [said["msg"] for said in messages] == ["hello", "You said: hello"]


def test_a_deleted_talk_is_gone_here_and_on_the_server(
    new_visitor: NewVisitor, stack: Stack
) -> None:
    visitor = new_visitor().begin()
    beside = new_visitor(beside=visitor).arrive()
    expect(beside.box).to_be_visible()
    visitor.say("hello")
    visitor.sees(0, "done")
    secret = token(visitor)

    dialog = options_of(visitor, "Ada")
    dialog.locator("summary").click()
    dialog.get_by_role("button", name="Delete permanently").click()

    expect(visitor.page.get_by_label("Your name")).to_be_visible()
    assert visitor.page.evaluate("JSON.stringify(localStorage)").count(secret) == 0
    answer = requests.get(
        f"{stack.url}/refresh_token", headers={"Authorization": f"Bearer {secret}"}, timeout=5
    )
    assert answer.status_code == 400
    expect(beside.page.locator("#notices")).to_contain_text(
        re.compile("has expired|no longer exists")
    )


def test_the_name_form_works_without_a_script(chromium: Browser, stack: Stack) -> None:
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

    # Once there is a script, it takes the session over.
    scripted = chromium.new_context()
    scripted.add_cookies([{"name": "chat_token", "value": cookie["value"], "url": stack.url}])
    visitor = Visitor(scripted.new_page(), stack.url).arrive()
    expect(visitor.page.locator("h1")).to_have_text("Ada")
    visitor.say("hello")
    visitor.sees(0, "done", "You said: hello")
    assert token(visitor) == cookie["value"]
    context.close()
    scripted.close()


def test_a_blank_name_is_refused_by_the_plain_form(chromium: Browser, stack: Stack) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stack.url)
    page.get_by_label("Your name").fill("   ")
    page.get_by_role("button", name="Start").click()

    expect(page.get_by_role("alert")).to_have_text("Enter a valid name.")
    assert [cookie for cookie in context.cookies() if cookie["name"] == "chat_token"] == []
    context.close()
