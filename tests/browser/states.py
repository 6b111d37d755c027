"""Every state the page can show, reached by scripted frames: for screenshots and for axe."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocketRoute, expect

from tests.browser.frames import bot, delta, failed, human, queued, ready, started

Frame = dict[str, Any]

MARKDOWN = """Here is a **short** list, with `code` and a [link](https://example.org/a):

1. first
2. second
   - nested

```python
def greet(name: str) -> str:
    \"\"\"Say hello.\"\"\"
    return f"Hello, {name}!"  # friendly
```

| Name | Count | A wide column that needs some room | Another |
|------|------:|------------------------------------|---------|
| apples | 3 | red and green, mostly sweet | yes |

> A quote, with ![an image](https://example.org/x.png)

## A heading

And <b>raw html</b> stays text."""
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LANGUAGES = [
    "مرحبا! كيف حالك اليوم؟ هذا نص عربي مع English في الوسط.",
    "שלום! מה שלומך היום?",
    "日本語のテキストと絵文字 👩‍🚀🇩🇪👍🏽",
    LONG_WORD,
]


def format_timestamp(in_s: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + in_s))


def talk_of(*pairs: tuple[str, str]) -> list[Frame]:
    """Return the messages of questions and their replies, said just now."""
    messages = []
    for at, (question, answer) in enumerate(pairs):
        messages += [
            human(2 * at + 1, question, format_timestamp()),
            bot(2 * at + 2, 2 * at + 1, answer, format_timestamp()),
        ]
    return messages


SHOWN = talk_of(
    ("Hello, can you show me some Markdown?", MARKDOWN),
    ("And a second question, long enough to wrap over more than one line?", "Sure. " * 40),
)


class Scripted:
    """A page whose server is the test: frames are told, and those it sends are kept."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.page: Page = context.new_page()
        self.site = site
        self.sent: list[Frame] = []
        self.first: Frame | None = ready([], expires_at=format_timestamp(3600))
        self._socket: WebSocketRoute | None = None
        self.page.route_web_socket("**/chat*", self._open)
        self.page.route("**/token", self._token)

    def _token(self, route: Route) -> None:
        told = {
            "token": str(uuid.uuid4()),
            "name": "Ada",
            "session_start": format_timestamp(),
            "messages": [],
        }
        route.fulfill(json=told)

    def _open(self, route: WebSocketRoute) -> None:
        if self.first is None:
            route.close(code=4000)
            return
        self._socket = route
        route.on_message(lambda text: self.sent.append(json.loads(text)))
        route.send(json.dumps(self.first))

    def tell(self, *frames: Frame) -> None:
        assert self._socket
        for frame in frames:
            self._socket.send(json.dumps(frame))

    def cut(self) -> None:
        self.first = None
        assert self._socket
        self._socket.close(code=4000)

    def begin(self, messages: Sequence[Frame] = (), *, left_s: float = 3600) -> None:
        self.first = ready(list(messages), expires_at=format_timestamp(left_s))
        self.page.goto(f"{self.site}/")
        self.page.locator("#name").fill("Ada")
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#message")).to_be_visible()
        if messages:
            expect(self.page.locator(".turn").last).to_be_visible()


def _welcome(page: Scripted) -> None:
    page.page.goto(f"{page.site}/")


def _name_refused(page: Scripted) -> None:
    page.page.goto(f"{page.site}/")
    page.page.route(
        "**/token", lambda route: route.fulfill(status=429, json={"detail": "Too many requests"})
    )
    page.page.locator("#name").fill("Ada")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#name-error")).not_to_be_empty()


def _empty(page: Scripted) -> None:
    page.begin()


def _talk(page: Scripted) -> None:
    page.begin(SHOWN)


def _talk_above(page: Scripted) -> None:
    page.begin(SHOWN)
    page.page.locator("#transcript").hover()
    page.page.mouse.wheel(0, -5000)
    expect(page.page.locator(".jump")).to_be_visible()


def _writing(page: Scripted) -> None:
    page.begin(
        [
            *SHOWN,
            human(5, "What now?", format_timestamp()),
            human(6, "And then?", format_timestamp()),
        ]
    )
    page.tell(started(5), delta(5, 0, "Now comes a **reply** that is still"), queued(6, 1, 7.6))
    page.page.locator("#message").fill("A draft\nof three\nlines")
    expect(page.page.get_by_text("still")).to_be_visible()


def _waiting_for_the_first_word(page: Scripted) -> None:
    page.begin([human(1, "What now?", format_timestamp())])
    page.tell(started(1))
    expect(page.page.locator(".typing")).to_be_visible()


def _loading(page: Scripted) -> None:
    page.begin([human(1, "Good morning", format_timestamp())])
    page.tell({"type": "model.loading", "reply_to": "human-1", "retry_in_s": 42})
    expect(page.page.locator("count-down")).to_be_visible()


def _failed(page: Scripted) -> None:
    page.begin(
        [
            human(1, "One", format_timestamp()),
            human(2, "Two", format_timestamp()),
            human(3, "Three", format_timestamp()),
        ]
    )
    page.tell(
        failed(bot(4, 1, "Half a rep", format_timestamp())),
        failed(bot(5, 2, "", format_timestamp()), "model.unauthorized", retryable=False),
        failed(bot(6, 3, "", format_timestamp()), "model.overloaded"),
    )
    expect(page.page.locator(".bot .error")).to_have_count(3)


def _stopped(page: Scripted) -> None:
    page.begin([human(1, "Tell me all", format_timestamp())])
    stopped = {
        **bot(2, 1, "All of it begins", format_timestamp()),
        "finish_reason": "stop_requested",
    }
    page.tell({"type": "reply.completed", "message": stopped})
    expect(page.page.locator(".turn").get_by_text("begins")).to_be_visible()


def _offline(page: Scripted) -> None:
    page.begin(SHOWN)
    page.cut()
    page.page.locator("#message").fill("Are you there?")
    page.page.keyboard.press("Enter")
    expect(page.page.locator(".notice")).to_be_visible()


def _refused(page: Scripted) -> None:
    page.begin(SHOWN)
    page.page.locator("#message").fill("Something odd")
    page.page.keyboard.press("Enter")
    page.page.wait_for_function("() => document.querySelector('[data-phase=sending]')")
    sent = next(frame for frame in page.sent if frame["type"] == "message.send")
    page.tell({"type": "error", "code": "message.invalid", "detail": "No.", "ref": sent["id"]})
    page.tell({"type": "error", "code": "rate.limited", "detail": "Too fast.", "ref": None})
    expect(page.page.locator("[data-phase=rejected]")).to_be_visible()


def _ends_soon(page: Scripted) -> None:
    page.begin(SHOWN, left_s=200)
    expect(page.page.locator(".notice")).to_be_visible()


def _ended(page: Scripted) -> None:
    page.begin(SHOWN)
    page.tell({"type": "session.expired", "expires_at": format_timestamp()})
    page.page.locator("#message").fill("One more thing")
    expect(page.page.locator(".notice")).to_be_visible()


def _forgotten(page: Scripted) -> None:
    page.begin(talk_of(("One?", "Yes."), ("Two?", "Yes."), ("Three?", "Yes."), ("Four?", "Yes.")))
    expect(page.page.locator(".boundary")).to_be_visible()


def _many_languages(page: Scripted) -> None:
    page.begin(talk_of(*((text, f"> {text}\n\n1. {text}\n2. {text}") for text in LANGUAGES)))


def _list(page: Scripted) -> None:
    page.begin(SHOWN)
    for label in ("A walk in the woods", LONG_WORD, "مرحبا"):
        page.page.evaluate(
            """([token, label, ended]) => localStorage.setItem(`chat.session.${token}`,
                JSON.stringify({ token, name: "Ada", label, at: Date.now() - 9e7, ended,
                  lastWords: "The last words of it, which may be long" }))""",
            [str(uuid.uuid4()), label, label == LONG_WORD],
        )
    page.page.reload()
    expect(page.page.locator(".turn").last).to_be_visible()
    if page.page.locator("#open-sidebar").is_visible():
        page.page.locator("#open-sidebar").click()
    expect(page.page.locator(".sidebar-entry")).to_have_count(4)


def _drawer(page: Scripted) -> None:
    page.page.set_viewport_size({"width": 375, "height": 740})
    _list(page)


def _session_dialog(page: Scripted) -> None:
    _list(page)
    page.page.locator(".sidebar-entry .icon-button").first.click()
    page.page.locator("dialog summary").click()


def _settings(page: Scripted) -> None:
    page.begin(SHOWN)
    page.page.locator("#bar .bar-button").last.click()
    expect(page.page.locator("dialog")).to_be_visible()


STATES: dict[str, Callable[[Scripted], None]] = {
    function.__name__.strip("_"): function
    for function in (
        _welcome,
        _name_refused,
        _empty,
        _talk,
        _talk_above,
        _writing,
        _waiting_for_the_first_word,
        _loading,
        _failed,
        _stopped,
        _offline,
        _refused,
        _ends_soon,
        _ended,
        _forgotten,
        _many_languages,
        _list,
        _drawer,
        _session_dialog,
        _settings,
    )
}


def show(browser: Browser, site: str, state: str, **options: Any) -> Scripted:
    """Bring a new page into a state; options are those of a browser context."""
    scripted = Scripted(browser.new_context(**options), site)
    STATES[state](scripted)
    return scripted
