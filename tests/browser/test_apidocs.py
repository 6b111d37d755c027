"""The documents as a visitor of a running site sees them, under its content security policy."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page

from chat.apidocs.asyncapi import CLIENT_FRAMES, SERVER_FRAMES, type_of
from tests.processes import Stack

PARSER = Path(__file__).parents[1] / "vendor" / "asyncapi-parser" / "parser.js"
PARSE = """async (text) => {
  const { document, diagnostics } = await new AsyncAPIParser().parse(text);
  return { version: document?.version(), found: diagnostics.map(one => [one.code, one.message]) };
}"""


class Visit:
    """A page that records requests to other hosts and console errors."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    page = chromium.new_page()
    page.set_default_timeout(30_000)
    yield Visit(page)
    page.close()


def test_the_websocket_document_passes_the_official_parser(visit: Visit, stack: Stack) -> None:
    visit.page.goto("about:blank")
    visit.page.add_script_tag(path=PARSER)
    text = requests.get(f"{stack.url}/asyncapi.json", timeout=10).text

    result = visit.page.evaluate(PARSE, text)

    assert result["version"] == "3.0.0"
    assert [code for code, _ in result["found"]] == ["asyncapi-latest-version"], result["found"]


def test_the_parser_sees_what_is_wrong(visit: Visit, stack: Stack) -> None:
    visit.page.goto("about:blank")
    visit.page.add_script_tag(path=PARSER)
    text = requests.get(f"{stack.url}/asyncapi.json", timeout=10).text

    result = visit.page.evaluate(PARSE, text.replace('"action": "send"', '"action": "shout"'))

    assert result["version"] is None


def test_the_http_page_shows_its_operations_and_asks_no_other_host(
    visit: Visit, stack: Stack
) -> None:
    response = visit.page.goto(f"{stack.url}/docs")
    assert response is not None
    assert "'unsafe" not in response.headers["content-security-policy"]
    visit.page.get_by_text("/refresh_token").first.wait_for()
    shown = visit.page.locator(".opblock-summary-path").all_inner_texts()

    assert len(shown) == 12
    assert visit.hosts == {urlsplit(stack.url).netloc}
    assert visit.complaints == []


def test_the_http_page_tries_a_request_out(visit: Visit, stack: Stack) -> None:
    visit.page.goto(f"{stack.url}/docs")
    operation = visit.page.locator("#operations-service-test")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    operation.locator(".live-responses-table").get_by_text("API is Online").wait_for()
    assert visit.complaints == []


def test_the_websocket_page_shows_every_frame_with_an_example(visit: Visit, stack: Stack) -> None:
    response = visit.page.goto(f"{stack.url}/docs/websocket")
    assert response is not None
    assert response.ok

    for frame in (*CLIENT_FRAMES, *SERVER_FRAMES):
        section = visit.page.locator(f'[id="{type_of(frame)}"]')
        assert f'"type": "{type_of(frame)}"' in section.locator("pre").inner_text()
    assert visit.hosts == {urlsplit(stack.url).netloc}
    assert visit.complaints == []


def test_every_link_of_the_websocket_page_leads_somewhere(visit: Visit, stack: Stack) -> None:
    visit.page.goto(f"{stack.url}/docs/websocket")
    broken = visit.page.evaluate(
        """() => [...document.links].map(link => link.getAttribute("href"))
          .filter(href => href.startsWith("#") && !document.getElementById(href.slice(1)))"""
    )
    assert broken == []
