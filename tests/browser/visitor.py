"""A person in front of the page, in words of what they do and see."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

Frame = dict[str, Any]


class Network:
    """The page's way to the site's WebSocket, which a test can cut and mend."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self._open: list[WebSocketRoute] = []
        self._is_cut = False
        page.route_web_socket("**/chat*", self._route)

    def cut(self) -> None:
        """End the connection; new ones fail until `mend`."""
        self._is_cut = True
        while self._open:
            self._open.pop().close(code=4000)

    def mend(self) -> None:
        self._is_cut = False

    def _route(self, route: WebSocketRoute) -> None:
        self.urls.append(route.url)
        if self._is_cut:
            route.close(code=4000)
            return
        self._open.append(route)
        route.connect_to_server()


class Visitor:
    """One tab. `errors` is what the browser's console holds against the page."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.network = Network(page)
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"} and "WebSocket" not in message.text:
            self.errors.append(message.text)

    def arrive(self) -> "Visitor":
        self.page.goto(f"{self.site}/")
        return self

    def begin(self, name: str = "Ada") -> "Visitor":
        """Arrive, give a name, and be in the conversation."""
        self.arrive()
        self.page.get_by_label("Your name").fill(name)
        self.page.keyboard.press("Enter")
        expect(self.box).to_be_focused()
        return self

    @property
    def box(self) -> Locator:
        return self.page.locator("#message")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def turn(self, number: int) -> Locator:
        """The turn of that number, from 0; -1 is the last."""
        return self.page.locator(".turn").nth(number)

    def sees(self, number: int, phase: str, text: str | None = None) -> Locator:
        """Wait until a turn is in this phase and its reply contains the text."""
        turn = self.turn(number)
        expect(turn).to_have_attribute("data-phase", phase)
        if text is not None:
            expect(turn.locator("reply-text")).to_contain_text(text)
        return turn

    def talk(self) -> list[list[str]]:
        """What was said and answered, in the order shown."""
        words: list[list[str]] = self.page.evaluate(
            """() => [...document.querySelectorAll(".turn")].map((turn) => [
                turn.querySelector(".human-text").textContent,
                (turn.querySelector("reply-text")?.textContent ?? "").trim(),
            ])"""
        )
        return words


NewVisitor = Callable[..., Visitor]
