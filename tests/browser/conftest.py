"""A real Chromium, a running site, and tabs that fail a test for any error they log."""

import mimetypes
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Route,
    expect,
    sync_playwright,
)

from tests.browser.states import STATES
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Show, Visitor
from tests.processes import Stack

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STATIC = ROOT / "chat" / "static"
SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 20_000

expect.set_options(timeout=TIMEOUT_MS)


def chromium_path() -> str | None:
    """Return the path of the system's Chromium; None if Playwright's own is used."""
    return next((path for name in SYSTEM_NAMES if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """Start the system's Chromium, or the one Playwright installed."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])


# Scope "package", not "session": Playwright's sync API keeps an event loop in this thread, so async
# tests of other packages could not start theirs.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser of all tests here."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def new_visitor(chromium: Browser, stack: Stack) -> Iterator[NewVisitor]:
    """Open tabs on the running site; options are those of a browser context.

    `beside=visitor` opens a second tab of the same browser, `kind=ScriptedVisitor` one whose
    server is the test. An error in a tab's console fails the test. The service worker is blocked,
    except with `service_workers="allow"`.
    """
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def make(
        beside: Visitor | None = None,
        site: str = "",
        kind: type[Visitor] = Visitor,
        **options: Any,
    ) -> Visitor:
        options = {"service_workers": "block"} | options
        context = beside.page.context if beside else chromium.new_context(**options)
        if not beside:
            context.set_default_timeout(TIMEOUT_MS)
            contexts.append(context)
        visitors.append(kind(context.new_page(), site or stack.url))
        return visitors[-1]

    yield make
    for context in contexts:
        context.close()
    assert [error for visitor in visitors for error in visitor.errors] == []


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    """A visitor in a conversation of their own."""
    return new_visitor().start()


@pytest.fixture
def show(new_visitor: NewVisitor) -> Show:
    """Open a tab in one of `STATES`; options are those of a browser context."""

    def make(state: str, **options: Any) -> ScriptedVisitor:
        visitor = new_visitor(kind=ScriptedVisitor, **options)
        assert isinstance(visitor, ScriptedVisitor)
        STATES[state](visitor)
        return visitor

    return make


@pytest.fixture(scope="package")
def modules(chromium: Browser) -> Iterator[Page]:
    """An empty page that can import the page's modules and the tests' own, without a site."""
    context = chromium.new_context()
    page = context.new_page()
    page.route("http://modules.test/**", _serve_module)
    page.goto("http://modules.test/")
    yield page
    context.close()


def _serve_module(route: Route) -> None:
    path = route.request.url.removeprefix("http://modules.test/")
    if not path:
        route.fulfill(body="<!doctype html>", content_type="text/html")
        return
    folders = {"node_modules": ROOT, "harness.js": HERE, "harness_markdown.js": HERE}
    folder = folders.get(path.partition("/")[0], STATIC)
    kind = mimetypes.guess_type(path)[0] or "text/javascript"
    route.fulfill(body=(folder / path).read_text(), content_type=kind)
