"""Drive one tab of the chat page: what a visitor does and sees."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from tests.browser.frames import ready

Frame = dict[str, Any]


WAIT_UNTIL_KEPT = """async ([token, count]) => {
  const { load } = await import("/static/chat/archive.js");
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if ((await load(token)).length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`The browser keeps ${(await load(token)).length} messages, not ${count}`);
}"""

WAIT_FOR_WORKER = """async () => {
  const { active } = await navigator.serviceWorker.ready;
  if (active.state === "activated") return;
  await new Promise((resolve) => { active.onstatechange = resolve; });
}"""


class Network:
    """The connection between the page and the site's WebSocket, which a test can cut."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self._open: list[WebSocketRoute] = []
        self._is_cut = False
        page.route_web_socket("**/chat*", self._route)

    def cut(self) -> None:
        """Close the connection; new ones fail until `restore`."""
        self._is_cut = True
        while self._open:
            self._open.pop().close(code=4000)

    def restore(self) -> None:
        self._is_cut = False

    def _route(self, route: WebSocketRoute) -> None:
        self.urls.append(route.url)
        if self._is_cut:
            route.close(code=4000)
            return
        self._open.append(route)
        self._serve(route)

    def _serve(self, route: WebSocketRoute) -> None:
        route.connect_to_server()


class ScriptedServer(Network):
    """A server played by the test: it sends the test's frames and keeps those it receives."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.received: list[Frame] = []
        self.messages: list[Frame] = []
        self.expires_in_s: float = 3600
        page.route("**/token", self._create_session)
        page.route("**/refresh_token", lambda route: route.fulfill(json={"messages": []}))

    def send(self, *frames: Frame) -> None:
        for frame in frames:
            self._open[-1].send(json.dumps(frame))

    def received_types(self) -> list[str]:
        return [frame["type"] for frame in self.received]

    def _serve(self, route: WebSocketRoute) -> None:
        route.on_message(lambda text: self.received.append(json.loads(text)))
        self.send(ready(self.messages, expires_at=format_timestamp(self.expires_in_s)))

    def _create_session(self, route: Route) -> None:
        session = {"token": str(uuid4()), "name": "Ada", "session_start": format_timestamp()}
        route.fulfill(json={**session, "messages": []})


class Visitor:
    """One tab. `errors` are the errors and warnings in the browser's console."""

    def __init__(self, page: Page, site: str, network: Network | None = None) -> None:
        self.page = page
        self.site = site
        self.network = network or Network(page)
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        expected = "WebSocket" in message.text or "blocked by Playwright" in message.text
        if message.type in {"error", "warning"} and not expected:
            self.errors.append(message.text)

    def open(self) -> "Visitor":
        self.page.goto(f"{self.site}/")
        return self

    def start(self, name: str = "Ada") -> "Visitor":
        """Open the page, enter a name and wait for the conversation."""
        self.open()
        self.enter_name(name)
        expect(self.composer).to_be_focused()
        return self

    def enter_name(self, name: str) -> None:
        self.page.locator("#name").fill(name)
        self.page.keyboard.press("Enter")

    @property
    def composer(self) -> Locator:
        return self.page.locator("#message")

    @property
    def notices(self) -> Locator:
        return self.page.locator("#notices")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def token(self) -> str:
        value: str = self.page.evaluate("localStorage.getItem('chat.current')")
        return value

    def send(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def turn(self, index: int) -> Locator:
        return self.page.locator(".turn").nth(index)

    def expect_turn(self, index: int, phase: str, text: str | None = None) -> Locator:
        """Wait until a turn is in this phase and its reply contains the text."""
        turn = self.turn(index)
        expect(turn).to_have_attribute("data-phase", phase)
        if text is not None:
            expect(turn.locator("reply-text")).to_contain_text(text)
        return turn

    def wait_until_kept(self, count: int) -> None:
        """Wait until the browser's copy of the conversation has this many messages."""
        self.page.evaluate(WAIT_UNTIL_KEPT, [self.token(), count])

    def wait_for_worker(self) -> None:
        """Wait until the service worker is ready."""
        self.page.evaluate(WAIT_FOR_WORKER)

    def transcript(self) -> list[list[str]]:
        """Return each message and its reply, in the order shown."""
        turns: list[list[str]] = self.page.evaluate(
            """() => [...document.querySelectorAll(".turn")].map((turn) => [
                turn.querySelector(".human-text").textContent,
                (turn.querySelector("reply-text")?.textContent ?? "").trim(),
            ])"""
        )
        return turns


class ScriptedVisitor(Visitor):
    """One tab whose server is the test."""

    def __init__(self, page: Page, site: str) -> None:
        self.server = ScriptedServer(page)
        super().__init__(page, site, self.server)

    def start_with(self, messages: Sequence[Frame], *, expires_in_s: float = 3600) -> None:
        """Start a conversation that already has messages."""
        self.server.messages = list(messages)
        self.server.expires_in_s = expires_in_s
        self.start()
        expect(self.page.locator(".turn").last).to_be_visible()


def format_timestamp(in_s: float = 0) -> str:
    """Return the time in so many seconds as the server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + in_s))


NewVisitor = Callable[..., Visitor]
Show = Callable[..., ScriptedVisitor]
