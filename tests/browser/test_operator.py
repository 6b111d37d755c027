"""The admin in a real browser: live pages, actions, the search by token."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from websockets.sync.client import connect

from tests.browser.test_states import save_screenshot
from tests.client import create_session
from tests.model_stub import Behaviour, ModelStub
from tests.operator_user import PASSWORD, create_operator
from tests.processes import Stack

LIST = "/admin/chat/session/"
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def user(shared_stack: Stack) -> str:
    return create_operator(shared_stack)


@pytest.fixture
def operator(chromium: Browser, stack: Stack, user: str) -> Iterator[Page]:
    """A page logged in to the admin; an error it logs fails the test."""
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        is_icon = message.location["url"].endswith("/favicon.ico")
        if message.type == "error" and not is_icon:
            errors.append(message.text)

    context = chromium.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", record)
    page.goto(f"{stack.url}/admin/login/?next={LIST}")
    page.fill("#id_username", user)
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    yield page
    context.close()
    assert errors == []


def test_a_session_page_follows_a_reply_and_stops_it(
    operator: Page, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(pieces=tuple(f"word{n} " for n in range(40)), piece_delay_s=0.5))
    name = f"Visitor {uuid4().hex}"
    with connect(f"{stack.ws_url}?token={create_session(stack.url, name)}") as socket:
        socket.send("<script>document.title='stolen'</script>")
        operator.fill("#searchbar", name)
        operator.click("#changelist-search input[type=submit]")
        operator.click(f"text={name}")

        pending = operator.locator(".chat-pending .chat-text")
        expect(pending).to_contain_text("word1")
        expect(pending).to_contain_text("word3")
        expect(operator.locator(".chat-human .chat-text")).to_contain_text("<script>document")

        operator.click("text=Stop the reply…")
        operator.click("input[value='Stop the reply']")
        expect(operator.locator(".chat-bot .chat-tag")).to_have_text("stopped")
        expect(operator.locator(".chat-pending")).to_have_count(0)
    assert "stolen" not in operator.title()


def test_a_token_typed_into_the_search_appears_in_no_url(operator: Page, stack: Stack) -> None:
    token = create_session(stack.url, f"Visitor {uuid4().hex}")
    urls: list[str] = []
    operator.on("request", lambda request: urls.append(request.url))
    operator.fill("#searchbar", f" {token} ")
    operator.click("#changelist-search input[type=submit]")
    operator.wait_for_url("**/change/")
    assert urls
    assert not [url for url in urls if token in url]
    assert token not in operator.content()


def test_the_dashboard_updates_itself(operator: Page, stack: Stack) -> None:
    operator.goto(f"{stack.url}{LIST}dashboard/")
    sockets = operator.locator(".chat-tiles div", has_text="Open sockets").locator("dd").first
    before = int(sockets.inner_text())
    with connect(f"{stack.ws_url}?token={create_session(stack.url, 'Ada')}"):
        expect(sockets).to_have_text(str(before + 1))
    expect(sockets).to_have_text(str(before))


def test_a_page_shows_that_its_session_no_longer_exists(operator: Page, stack: Stack) -> None:
    name = f"Visitor {uuid4().hex}"
    token = create_session(stack.url, name)
    operator.goto(f"{stack.url}{LIST}?q={name}")
    operator.click(f"text={name}")
    expect(operator.locator(".chat-facts")).to_contain_text("idle")
    requests.delete(f"{stack.url}/token", params={"token": token}, timeout=20)
    expect(operator.locator("[data-live-notice]")).to_contain_text("no longer exists")


def test_a_reported_link_leads_to_its_session_and_is_revoked(operator: Page, stack: Stack) -> None:
    token = create_session(stack.url)
    with connect(f"{stack.ws_url}?token={token}") as socket:
        socket.send("hello")
        socket.recv(20)
    headers = {"Authorization": f"Bearer {token}"}
    url = requests.post(f"{stack.url}/share", headers=headers, timeout=10).json()["url"]
    requested: list[str] = []
    operator.on("request", lambda request: requested.append(request.url))

    operator.fill("#searchbar", f" {url} ")
    operator.click("#changelist-search input[type=submit]")
    expect(operator.get_by_role("heading", name="Read-only links")).to_be_visible()
    save_screenshot(operator, "admin-shares")
    assert not [each for each in requested if url.rpartition("/")[2] in each]
    operator.get_by_role("button", name="Revoke").click()

    expect(operator.get_by_text("Revoked the link.")).to_be_visible()
    expect(operator.get_by_role("heading", name="Read-only links")).to_have_count(0)
    assert requests.get(f"{url}.json", timeout=10).status_code == 404
