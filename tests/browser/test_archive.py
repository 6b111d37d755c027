"""The copy of each conversation that the browser keeps."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.states import MESSAGES
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Show, Visitor

LOAD = 'async (token) => (await import("/static/chat/archive.js")).load(token)'
BLOCK_STORAGE = """for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("", "SecurityError"); } });
}"""
FILL_STORAGE = """IDBObjectStore.prototype.put = () => {
  throw new DOMException("", "QuotaExceededError");
};"""


def kept_messages(page: Page, token: str) -> list[Any]:
    messages: list[Any] = page.evaluate(LOAD, token)
    return messages


def test_expired_conversation_is_read_and_exported_without_the_server(show: Show) -> None:
    visitor = show("kept")

    assert len(visitor.network.urls) == 1, "it was not loaded from the server again"
    assert [turn[0] for turn in visitor.transcript()] == [
        message["msg"] for message in MESSAGES if message["source"] == "human"
    ]
    expect(visitor.notices).to_contain_text("You can read it here until you delete it.")
    expect(visitor.composer).to_be_hidden()
    visitor.notices.get_by_role("button", name="Export…").click()
    with visitor.page.expect_download() as download:
        visitor.dialog.get_by_role("button", name="Export as JSON").click()
    exported = json.loads(Path(download.value.path()).read_text())["messages"]
    assert [message["msg"] for message in exported] == [message["msg"] for message in MESSAGES]


def test_copy_of_an_expired_conversation_is_deleted(show: Show) -> None:
    visitor = show("kept")
    token = visitor.token()

    visitor.notices.get_by_role("button", name="Export…").click()
    visitor.dialog.locator("summary").filter(has_text="Delete…").click()
    expect(visitor.dialog).to_contain_text("deletes the copy in this browser.")
    visitor.dialog.get_by_role("button", name="Delete permanently").click()

    expect(visitor.page.get_by_label("Your name")).to_have_value("Ada")
    assert kept_messages(visitor.page, token) == []


def test_copy_is_shown_while_the_server_cannot_be_reached(show: Show) -> None:
    visitor = show("conversation")
    before = visitor.transcript()
    visitor.wait_until_kept(len(MESSAGES))
    visitor.network.cut()

    visitor.page.reload()

    expect(visitor.page.locator(".turn")).to_have_count(2)
    assert visitor.transcript() == before
    visitor.network.restore()
    visitor.send("Back again")
    expect(visitor.turn(2)).to_have_attribute("data-phase", "sending")


def test_gaps_of_the_copy_are_stated(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.page.add_init_script(FILL_STORAGE)
    visitor.start_with(MESSAGES)
    visitor.server.send({"type": "session.expired", "expires_at": "2030-01-01T00:00:00Z"})
    expect(visitor.notices).to_contain_text("You can read it here")

    visitor.page.reload()

    expect(visitor.notices).to_contain_text("This browser could not keep all of it.")


def test_page_works_without_storage(new_visitor: NewVisitor) -> None:
    visitor: Visitor = new_visitor()
    visitor.page.add_init_script(BLOCK_STORAGE)
    visitor.open()
    expect(visitor.page.locator("#welcome")).to_contain_text("This browser stores nothing")

    visitor.enter_name("Ada")
    visitor.send("hello")

    visitor.expect_turn(0, "done", "You said: hello")
