"""The page without the server: the service worker, what it keeps, and new releases."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.ports import free_port
from tests.processes import Stack, collected_static_files, wait_for

NEW_RELEASE = "fedcba9876543210"
RELEASE_SHOWN = "document.querySelector('script[type=module]').src.split('/')[4]"
KEPT = """async () => {
  const kept = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      kept[new URL(request.url).pathname] = await (await cache.match(request)).text();
    }
  }
  return kept;
}"""


def kept_files(page: Page) -> dict[str, str]:
    """Return what the service worker keeps: contents by path."""
    files: dict[str, str] = page.evaluate(KEPT)
    return files


def releases(kept: dict[str, str]) -> set[str]:
    return {path.split("/")[2] for path in kept if path.startswith("/static")}


@contextmanager
def proxy_without_server(port: str, status: int) -> Iterator[None]:
    """Respond to every request on a port with an error."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status, f"{status} from the proxy")

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield
        finally:
            server.shutdown()


def talk(visitor: Visitor, text: str) -> None:
    visitor.send(text)
    visitor.expect_turn(0, "done")
    visitor.wait_until_kept(2)


def test_conversations_are_read_and_searched_offline(new_visitor: NewVisitor, stack: Stack) -> None:
    visitor = new_visitor(service_workers="allow").start()
    page = visitor.page
    talk(visitor, "About trees")
    visitor.click("New conversation")
    expect(page.locator(".greeting")).to_be_visible()
    talk(visitor, "About rivers")
    visitor.wait_for_worker()
    tokens = page.evaluate("Object.keys(localStorage)")

    page.context.set_offline(True)
    page.goto(stack.url)

    expect(page.get_by_text("You can read and search the conversations")).to_be_visible()
    expect(visitor.turn(0)).to_contain_text("You said: About rivers")
    page.get_by_label("Search conversations").fill("said: about TREES")
    expect(page.locator(".sidebar-entry")).to_have_count(1)
    page.locator(".sidebar-open").click()
    expect(visitor.turn(0)).to_contain_text("You said: About trees")
    visitor.send("Written offline")
    expect(visitor.turn(1)).to_contain_text("Waiting for the connection")

    page.context.set_offline(False)
    expect(page.locator(".offline-banner")).to_have_count(0)
    visitor.expect_turn(1, "done", "You said: Written offline")
    kept = kept_files(page)
    assert {path.split("/")[1] for path in kept} == {"static", "catalogue", "offline"}
    secrets = [key.removeprefix("chat.session.") for key in tokens if "session" in key]
    assert len(secrets) == 2
    assert not [path for path, text in kept.items() for secret in secrets if secret in text]
    [offline_page] = [text for path, text in kept.items() if path.startswith("/offline")]
    assert "csrfmiddlewaretoken" not in offline_page
    visitor.errors.clear()  # of the requests that failed


@pytest.mark.slow
def test_old_worker_lets_a_new_release_through(
    new_visitor: NewVisitor, stack: Stack, tmp_path: Path
) -> None:
    new_files = tmp_path / "static"
    shutil.copytree(collected_static_files(), new_files)
    (new_files / "digest.txt").write_text(NEW_RELEASE)
    port = str(free_port())
    old_server = stack.start_web(PORT=port)
    visitor = new_visitor(site=f"http://127.0.0.1:{port}", service_workers="allow").start()
    page = visitor.page
    talk(visitor, "hello")
    visitor.wait_for_worker()
    old_release = page.evaluate(RELEASE_SHOWN)
    assert releases(kept_files(page)) == {old_release}

    old_server.stop()
    page.goto(visitor.site)
    expect(page.locator(".offline-banner")).to_contain_text("The server can't be reached.")
    expect(visitor.turn(0)).to_contain_text("You said: hello")
    with proxy_without_server(port, 503):
        page.goto(visitor.site)
        expect(page.get_by_text("503 from the proxy")).to_be_visible()
    with proxy_without_server(port, 502):
        page.goto(visitor.site)
        expect(page.locator(".offline-banner")).to_be_visible()

    stack.start_web(PORT=port, STATIC_ROOT=str(new_files))
    expect(page.locator(".offline-banner")).to_have_count(0)
    visitor.expect_turn(0, "done", "You said: hello")
    assert page.evaluate(RELEASE_SHOWN) == NEW_RELEASE != old_release
    wait_for(
        lambda: releases(kept_files(page)) == {NEW_RELEASE}, "the worker to keep the new release"
    )
    visitor.errors.clear()


@pytest.mark.slow
def test_page_that_is_in_use_is_not_replaced(new_visitor: NewVisitor, stack: Stack) -> None:
    visitor = new_visitor(service_workers="allow").start()
    page = visitor.page
    talk(visitor, "hello")
    visitor.wait_for_worker()
    page.context.set_offline(True)
    page.goto(stack.url)
    expect(page.locator(".offline-banner")).to_be_visible()
    visitor.composer.fill("a long thought")

    page.context.set_offline(False)

    banner = page.locator(".offline-banner")
    expect(banner).to_contain_text("The server is back.")
    expect(visitor.composer).to_have_value("a long thought")
    banner.get_by_role("button", name="Reload").click()
    expect(banner).to_have_count(0)
    expect(visitor.composer).to_have_value("a long thought")
    visitor.errors.clear()
