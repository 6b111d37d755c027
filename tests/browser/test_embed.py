"""The chat on a website of another origin, whose Content Security Policy is strict."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import cast
from urllib.parse import quote, unquote

import pytest
import requests
from playwright.sync_api import Browser, FrameLocator, Locator, expect

from tests.browser.conftest import chromium_path
from tests.browser.test_states import AXE, RULES, RUN_AXE, save_screenshot
from tests.browser.visitor import NewVisitor, Visitor
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

SITE = {"SITE_NAME": "Acme Support", "SITE_ACCENT": "#7a1fa2"}
POLICY = "default-src 'none'; script-src {site}; frame-src {site}; base-uri 'none'"
HTML = """<!doctype html><html lang="en"><title>Shop</title>
<meta name="viewport" content="width=device-width">
<h1>Shop</h1><p><a href="#cart">Cart</a></p><script src="{site}/embed.js{query}" {data}></script>"""
EVENTS = """() => { window.events = [];
  for (const type of ["ready", "open", "close", "reply"])
    chat.addEventListener(type, () => window.events.push(type)); }"""
MAX_BYTES = 10_000


class Shop(BaseHTTPRequestHandler):
    """Serves the website's only page: its path is the script's query, its own query the data."""

    site = ""

    def do_GET(self) -> None:
        query, _, data = unquote(self.path.removeprefix("/")).partition("?")
        html = HTML.format(site=self.site, query=f"?{query}", data=data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", POLICY.format(site=self.site))
        self.send_header("Content-Length", str(len(html)))
        self.end_headers()
        self.wfile.write(html)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Website:
    """A tab on a website that embeds the chat."""

    def __init__(self, visitor: Visitor, origin: str) -> None:
        self.visitor = visitor
        self.page = visitor.page
        self.origin = origin

    def open(self, data: str = "", query: str = "lang=en", host: str = "localhost") -> "Website":
        origin = self.origin.replace("localhost", host)
        self.page.goto(f"{origin}/{query}?{quote(data)}")
        return self

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @property
    def message(self) -> Locator:
        return self.frame.locator("#message")

    def launcher(self, label: str = "Open the chat") -> Locator:
        return self.page.get_by_role("button", name=label, exact=True)

    def ask(self, text: str) -> None:
        self.message.fill(text)
        self.message.press("Enter")
        expect(self.frame.locator(".turn")).to_have_count(1)

    def events(self) -> list[str]:
        return cast("list[str]", self.page.evaluate("window.events"))


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The origin of a website. `localhost` and 127.0.0.1 are different sites for a browser."""
    server = ThreadingHTTPServer(("", 0), Shop)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def embeddable(shared_stack: Stack, shop: str) -> Iterator[str]:
    """The URL of a web process of the shared site that the shop may embed."""
    web = shared_stack.start_web(**SITE, EMBED_ORIGINS=shop)
    Shop.site = f"http://127.0.0.1:{web.port}"
    yield Shop.site
    web.stop()


@pytest.fixture
def website(new_visitor: NewVisitor, embeddable: str, shop: str) -> Callable[..., Website]:
    def make(**options: object) -> Website:
        return Website(new_visitor(site=embeddable, **options), shop)

    return make


def test_the_launcher_is_small_and_loads_nothing_else(website: Callable[..., Website]) -> None:
    shop = website()
    requested: list[str] = []
    shop.page.on("request", lambda request: requested.append(request.url))
    shop.open()
    expect(shop.launcher()).to_be_visible()
    assert requested[1:] == [f"{shop.visitor.site}/embed.js?lang=en"]
    script = requests.get(requested[1], headers={"Accept-Encoding": "identity"}, timeout=5)
    assert len(script.content) <= MAX_BYTES
    assert script.headers["Cache-Control"] == "no-cache"
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_visitor_chats_on_the_website(
    website: Callable[..., Website], model_stub: ModelStub
) -> None:
    shop = website().open(data='data-name="Ada"')
    shop.page.evaluate(EVENTS)
    assert shop.page.context.cookies() == []
    shop.launcher().press("Enter")
    expect(shop.message).to_be_focused()
    model_stub.script(Behaviour(delay_s=5))
    shop.ask("Where is my order?")
    expect(shop.frame.get_by_role("button", name="Stop")).to_be_visible()
    shop.page.keyboard.press("Escape")  # stops the reply first
    expect(shop.frame.get_by_text("Stopped by you")).to_be_visible()
    expect(shop.frame.locator(".turn")).to_have_attribute("data-phase", "done")

    model_stub.script(Behaviour(delay_s=1))
    shop.message.fill("And the other one?")
    shop.message.press("Enter")
    shop.page.get_by_role("button", name="Close the chat").click()
    expect(shop.launcher("Open the chat, new replies: 1")).to_be_focused()
    expect(shop.page.locator("dialog")).to_be_hidden()
    assert shop.events() == ["open", "ready", "reply", "close", "reply"]

    shop.page.evaluate("chat.open()")
    expect(shop.launcher()).to_be_visible()
    expect(shop.frame.locator(".turn").last).to_contain_text("You said: And the other one?")
    shop.message.focus()
    shop.page.keyboard.press("Escape")
    expect(shop.launcher()).to_be_focused()
    assert [
        each["name"] for each in shop.page.context.cookies() if each["sameSite"] == "None"
    ] == []


def test_the_name_can_follow(website: Callable[..., Website]) -> None:
    shop = website().open(data='data-label="Ask us" data-position="left"')
    shop.launcher("Ask us").click()
    expect(shop.frame.locator("#name")).to_be_visible()
    shop.page.evaluate("chat.identify('Grace')")
    expect(shop.frame.get_by_text("Hi Grace")).to_be_visible()


def test_the_corner_is_the_end_of_the_pages_lines_or_the_websites_choice(
    website: Callable[..., Website],
) -> None:
    shop = website()
    corners = []
    for data in ("", 'data-position="left"', 'data-position="right"'):
        shop.open(data)
        for direction in ("ltr", "rtl"):
            shop.page.evaluate("direction => { document.dir = direction; }", direction)
            box = shop.launcher().bounding_box()
            assert box is not None
            corners.append("left" if box["x"] == 20 else "right")

    assert corners == ["right", "left", "left", "left", "right", "right"]


def test_a_script_that_is_included_twice_adds_one_chat(website: Callable[..., Website]) -> None:
    shop = website().open()

    shop.page.evaluate("window.first = chat")
    shop.page.add_script_tag(url=f"{shop.visitor.site}/embed.js?lang=de")

    expect(shop.page.locator("chat-embed")).to_have_count(1)
    assert shop.page.evaluate("chat === first")


@pytest.mark.slow
def test_a_conversation_survives_a_reload_without_third_party_cookies(
    chromium: Browser, embeddable: str, shop: str, tmp_path: Path
) -> None:
    # Playwright disables the storage that browsers keep apart for each website around a frame.
    disabled = next(
        argument
        for cmdline in Path("/proc").glob("[0-9]*/cmdline")
        for argument in _arguments(cmdline)
        if argument.startswith("--disable-features=") and "StoragePartitioning" in argument
    )
    context = chromium.browser_type.launch_persistent_context(
        tmp_path,
        executable_path=chromium_path(),
        args=["--no-sandbox", "--test-third-party-cookie-phaseout"],
        ignore_default_args=[disabled],
    )
    visitor = Website(Visitor(context.new_page(), embeddable), shop)
    visitor.open(data='data-name="Ada"').launcher().click()
    visitor.ask("hello")
    expect(visitor.frame.locator(".turn")).to_contain_text("You said: hello")
    visitor.page.reload()
    visitor.launcher().click()
    expect(visitor.frame.locator(".turn")).to_contain_text("You said: hello")
    context.close()


def _arguments(cmdline: Path) -> list[str]:
    try:
        return cmdline.read_text(errors="replace").split("\0")
    except OSError:  # the process has ended
        return []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "is_modal"), [(375, True), (1280, False)])
def test_the_panel_fits_the_screen_and_axe_finds_no_violation(
    website: Callable[..., Website], width: int, is_modal: bool
) -> None:
    options = {"viewport": {"width": width, "height": 740}, "bypass_csp": True}
    shop = website(**options).open(data='data-name="Ada" data-position="left"')
    shop.page.evaluate(AXE.read_text())
    violations = shop.page.evaluate(RUN_AXE, RULES)
    shop.launcher().click()
    expect(shop.message).to_be_visible()
    box = shop.page.locator("dialog").bounding_box()
    assert box is not None
    size = (box["x"], box["width"], box["height"])
    assert size == ((0, 375, 740) if is_modal else (20, 400, 632))
    assert shop.page.locator("dialog").evaluate("panel => panel.matches(':modal')") == is_modal
    save_screenshot(shop.page, f"embed-{width}")
    violations += shop.page.evaluate(RUN_AXE, RULES)
    assert [
        each for each in violations if not each.startswith(("landmark", "region", "page-has"))
    ] == []


@pytest.mark.slow
def test_the_language_is_the_websites_choice(website: Callable[..., Website]) -> None:
    shop = website(locale="fr-FR").open(query="lang=de")
    shop.launcher("Chat öffnen").click()
    expect(shop.frame.get_by_role("button", name="Starten")).to_be_visible()


def test_other_websites_cannot_embed_the_chat(website: Callable[..., Website]) -> None:
    stranger = website().open(host="127.0.0.2")
    stranger.launcher().click()
    expect(stranger.page.locator("iframe")).to_be_visible()
    expect(stranger.frame.locator("#name")).to_have_count(0)
    assert [error for error in stranger.visitor.errors if "frame-ancestors" in error]
    stranger.visitor.errors.clear()


def test_a_site_that_is_not_embedded_serves_no_script(
    stack: Stack, embeddable: str, shop: str
) -> None:
    for path in ("/embed.js", "/embed"):
        assert requests.get(f"{stack.url}{path}", timeout=5).status_code == 404
    framed = requests.get(f"{embeddable}/embed", timeout=5).headers
    assert f"frame-ancestors {shop};" in f"{framed['Content-Security-Policy']};"
    assert "X-Frame-Options" not in framed
    page = requests.get(embeddable, timeout=5).headers
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
