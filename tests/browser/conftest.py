"""A real Chromium, a whole site behind it, and pages that fail a test for any error they log."""

import mimetypes
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

STATIC = Path(__file__).parents[2] / "chat" / "static"
SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 15_000


# Of the package, not of the session: while Playwright runs, the thread has an event loop, and the
# asynchronous tests of other packages could not start theirs.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, else the one Playwright installed."""
    system = next((path for name in SYSTEM_NAMES if (path := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        yield browser
        browser.close()


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
    folder = Path(__file__).parent if path.startswith("harness") else STATIC
    kind = mimetypes.guess_type(path)[0] or "text/javascript"
    route.fulfill(body=(folder / path).read_text(), content_type=kind)
