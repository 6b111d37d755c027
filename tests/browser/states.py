"""Every state the page can show, reached by scripted frames: for screenshots and for axe."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import expect

from tests.browser.frames import (
    bot,
    completed,
    delta,
    failed,
    human,
    queued,
    rating,
    replaced,
    started,
    version,
)
from tests.browser.frames import thinking as reply_thinking
from tests.browser.visitor import ScriptedVisitor, format_timestamp

Frame = dict[str, Any]
State = Callable[[ScriptedVisitor], None]

NOW = format_timestamp()
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
MATHEMATICS = """The roots of \\(ax^2 + bx + c = 0\\) are

\\[x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}\\]

and $e^{i\\pi} + 1 = 0$ costs less than $5 or $10.

$$
\\begin{pmatrix} 1 & 0 \\\\ 0 & 1 \\end{pmatrix}
\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}
$$

But $\\unknowncommand{x}$ stays as it is."""
TASKS = """Steps:

1. Install it

```sh
make run
```

2. Open the page

- [x] done
- [ ] still to do

| left | centre | right |
|:-----|:------:|------:|
| a | b | 1 |
| a longer text in a narrow table cell | with more | 23 |

<div>**Not** HTML</div>
"""
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LANGUAGES = [
    "مرحبا! كيف حالك اليوم؟ هذا نص عربي مع English في الوسط.",
    "שלום! מה שלומך היום?",
    "日本語のテキストと絵文字 👩‍🚀🇩🇪👍🏽",
    LONG_WORD,
]


def exchanges(*pairs: tuple[str, str]) -> list[Frame]:
    """Return the messages of questions and their replies."""
    messages = []
    for index, (question, reply) in enumerate(pairs):
        seq = 2 * index + 1
        messages += [human(seq, question, NOW), bot(seq + 1, seq, reply, NOW)]
    return messages


MESSAGES = exchanges(
    ("Hello, can you show me some Markdown?", MARKDOWN),
    ("And a second question, long enough to wrap over more than one line?", "Sure. " * 40),
)
# Question 1 was edited (3), and the reply to the edit was regenerated twice (4, 5, 6).
EDITED = human(1, "How do I boil an egg?", NOW)
EDITED_REPLY = bot(2, 1, "Put it into boiling water for **eight** minutes.", NOW)
EGGS = [
    replaced(EDITED, "human-3"),
    replaced(EDITED_REPLY, "human-3"),
    human(3, "How do I boil an egg so that the yolk stays soft?", NOW) | {"replaces": "human-1"},
    replaced(bot(4, 3, ""), "bot-5"),
    replaced(bot(5, 3, "") | {"replaces": "bot-4"}, "bot-6"),
    bot(6, 3, "Put it into boiling water for six minutes, then into ice water.", NOW)
    | {"replaces": "bot-5", "finish_reason": "length"},
]
EARLIER_REPLY = bot(5, 3, "Six minutes. Then peel it under cold water, from the blunt end.", NOW)
EARLIER_REPLY |= {"replaced_by": "bot-6"}
STATES: dict[str, State] = {}


def state(function: State) -> State:
    STATES[function.__name__] = function
    return function


@state
def welcome(visitor: ScriptedVisitor) -> None:
    visitor.open()


@state
def name_rejected(visitor: ScriptedVisitor) -> None:
    visitor.open()
    visitor.page.route("**/token", lambda route: route.fulfill(status=429, json={}))
    visitor.enter_name("Ada")
    expect(visitor.page.locator("#name-error")).not_to_be_empty()
    visitor.errors.clear()  # the browser logs the status 429


@state
def empty(visitor: ScriptedVisitor) -> None:
    visitor.start()
    expect(visitor.page.locator(".greeting")).to_be_visible()


@state
def conversation(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)


@state
def mathematics(visitor: ScriptedVisitor) -> None:
    visitor.start_with(exchanges(("What are the roots?", MATHEMATICS)))
    expect(visitor.page.locator("reply-text math")).to_have_count(4)


@state
def tasks_and_own_code(visitor: ScriptedVisitor) -> None:
    question = "Why does this fail?\n```python\nprint(1 +\n```\nIt says *SyntaxError*."
    visitor.start_with(exchanges((question, TASKS)))
    expect(visitor.page.locator("human-text figure.code")).to_be_visible()


@state
def scrolled_up(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.page.locator("#transcript").hover()
    visitor.page.mouse.wheel(0, -5000)
    expect(visitor.page.locator(".jump")).to_be_visible()


@state
def streaming(visitor: ScriptedVisitor) -> None:
    visitor.start_with([*MESSAGES, human(5, "What now?", NOW), human(6, "And then?", NOW)])
    visitor.server.send(
        started(5), delta(5, 0, "Now comes a **reply** that is still"), queued(6, 2, 7.6)
    )
    visitor.composer.fill("A draft\nof three\nlines")
    expect(visitor.page.get_by_text("still")).to_be_visible()


@state
def waiting_for_the_first_word(visitor: ScriptedVisitor) -> None:
    visitor.start_with([human(1, "What now?", NOW)])
    visitor.server.send(started(1))
    expect(visitor.page.locator(".typing")).to_be_visible()


@state
def thinking(visitor: ScriptedVisitor) -> None:
    visitor.start_with([human(1, "What now?", NOW)])
    visitor.server.send(started(1), reply_thinking(1))
    expect(visitor.page.get_by_text("Thinking…")).to_be_visible()


@state
def loading(visitor: ScriptedVisitor) -> None:
    visitor.start_with([human(1, "Good morning", NOW)])
    visitor.server.send({"type": "model.loading", "reply_to": "human-1", "retry_in_s": 42})
    expect(visitor.page.locator("count-down")).to_be_visible()


@state
def failed_replies(visitor: ScriptedVisitor) -> None:
    visitor.start_with([human(1, "One", NOW), human(2, "Two", NOW), human(3, "Three", NOW)])
    visitor.server.send(
        failed(bot(4, 1, "Half a rep", NOW)),
        failed(bot(5, 2, "", NOW), "model.unauthorized", retryable=False),
        failed(bot(6, 3, "", NOW), "model.overloaded"),
    )
    expect(visitor.page.locator(".bot .error")).to_have_count(3)


@state
def stopped(visitor: ScriptedVisitor) -> None:
    visitor.start_with([human(1, "Tell me everything", NOW)])
    reply = {**bot(2, 1, "Everything begins", NOW), "finish_reason": "stop_requested"}
    visitor.server.send(completed(reply))
    expect(visitor.page.get_by_role("log").get_by_text("begins")).to_be_visible()


@state
def versions(visitor: ScriptedVisitor) -> None:
    visitor.start_with(EGGS)
    expect(visitor.page.locator("version-pager")).to_have_count(2)


@state
def earlier_reply(visitor: ScriptedVisitor) -> None:
    versions(visitor)
    visitor.page.locator(".bot").get_by_role("button", name="Previous").click()
    visitor.server.send(version(EARLIER_REPLY))
    expect(visitor.page.locator("reply-text")).to_contain_text("peel")


@state
def earlier_question(visitor: ScriptedVisitor) -> None:
    versions(visitor)
    visitor.page.locator(".human").get_by_role("button", name="Previous").click()
    visitor.server.send(version(*({**m, "replaced_by": "human-3"} for m in (EDITED, EDITED_REPLY))))
    expect(visitor.page.locator("reply-text")).to_contain_text("eight")


@state
def version_not_loaded(visitor: ScriptedVisitor) -> None:
    versions(visitor)
    visitor.page.locator(".bot").get_by_role("button", name="Previous").click()
    error = {"type": "error", "code": "store.unavailable", "detail": "No.", "ref": "bot-5"}
    visitor.server.send(error)
    expect(visitor.page.get_by_role("button", name="Try again")).to_be_visible()


@state
def editing(visitor: ScriptedVisitor) -> None:
    versions(visitor)
    visitor.turn(0).hover()
    visitor.turn(0).get_by_role("button", name="Edit").click()
    expect(visitor.page.locator("question-editor textarea")).to_be_focused()


@state
def not_found(visitor: ScriptedVisitor) -> None:
    visitor.page.goto(f"{visitor.site}/nothing-here")
    expect(visitor.page.get_by_role("heading")).to_have_text("Page not found")
    visitor.errors.clear()  # the browser logs the status 404


@state
def server_error(visitor: ScriptedVisitor) -> None:
    """Show the page for an error in a view, in the place of another one."""
    with translation.override("en"):
        page = render_to_string("500.html")
    visitor.page.route(
        "**/fails", lambda route: route.fulfill(status=500, body=page, content_type="text/html")
    )
    visitor.page.goto(f"{visitor.site}/fails")
    expect(visitor.page.get_by_role("heading")).to_have_text("Something went wrong")
    visitor.errors.clear()  # the browser logs the status 500


@state
def offline(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.network.cut()
    visitor.send("Are you there?")
    expect(visitor.page.locator(".notice")).to_be_visible()


@state
def too_many_tabs(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    error = {"type": "error", "code": "rate.limited", "detail": "Too many tabs are open."}
    visitor.server.send(error | {"ref": None, "limit": "sockets"})
    visitor.network.cut()
    expect(visitor.page.locator(".notice")).to_contain_text("Too many tabs")


@state
def no_worker(visitor: ScriptedVisitor) -> None:
    visitor.start_with([*MESSAGES, human(5, "Anyone?", NOW)])
    visitor.server.send(queued(5, 0) | {"workers": 0})
    expect(visitor.turn(2)).to_contain_text("No worker is running.")


@state
def rejected(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.send("Something odd")
    visitor.expect_turn(2, "sending")
    sent = visitor.server.received[-1]
    error = {"type": "error", "detail": "No."}
    visitor.server.send(
        {**error, "code": "message.invalid", "ref": sent["id"]},
        {**error, "code": "rate.limited", "ref": None},
    )
    visitor.expect_turn(2, "rejected")


@state
def full(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.send("One more thing")
    visitor.expect_turn(2, "sending")
    sent = visitor.server.received[-1]
    visitor.server.send(
        {"type": "error", "code": "session.full", "detail": "It is full.", "ref": sent["id"]}
    )
    expect(visitor.notices).to_contain_text("This conversation is full.")


@state
def too_long(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.composer.fill("word " * 420)
    expect(visitor.page.locator("#composer-hint")).to_have_text("100 characters too many")


@state
def expiring(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES, expires_in_s=200)
    expect(visitor.page.locator(".notice")).to_be_visible()


@state
def expired(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.composer.fill("One more thing")
    visitor.server.send({"type": "session.expired", "expires_at": NOW})
    expect(visitor.page.locator(".notice")).to_be_visible()


@state
def kept(visitor: ScriptedVisitor) -> None:
    """Show the browser's copy of a session that the server no longer has."""
    visitor.start_with(MESSAGES)
    visitor.wait_until_kept(len(MESSAGES))
    visitor.server.send({"type": "session.expired", "expires_at": NOW})
    expect(visitor.page.locator(".notice")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.locator(".turn").last).to_be_visible()


@state
def offline_page(visitor: ScriptedVisitor) -> None:
    """Show the page of the service worker."""
    sidebar(visitor)
    visitor.network.cut()
    visitor.page.route("**/test", lambda route: None)  # no response
    language = visitor.page.evaluate("document.documentElement.lang")
    visitor.page.goto(f"{visitor.site}/offline/{language}/0")
    expect(visitor.page.locator(".offline-banner")).to_be_visible()
    expect(visitor.page.locator(".turn").last).to_be_visible()


@state
def out_of_context(visitor: ScriptedVisitor) -> None:
    visitor.start_with(exchanges(*((f"{n}?", "Yes.") for n in ("One", "Two", "Three", "Four"))))
    expect(visitor.page.locator(".boundary")).to_be_visible()


@state
def rated(visitor: ScriptedVisitor) -> None:
    first, reply, *others = exchanges(("One?", "Yes."), ("Two?", "No, that is not what it means."))
    visitor.start_with([first, reply | {"rating": "up", "comment": "Short."}, *others])
    visitor.page.get_by_role("button", name="Bad reply").last.click()
    visitor.server.send(rating("bot-4", "down"))
    expect(visitor.page.locator(".rating-form textarea")).to_be_visible()


@state
def many_languages(visitor: ScriptedVisitor) -> None:
    visitor.start_with(exchanges(*((t, f"> {t}\n\n1. {t}\n2. {t}") for t in LANGUAGES)))


@state
def sidebar(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.wait_until_kept(len(MESSAGES))
    labels = {1: "A walk in the woods", 4: "Rivers and lakes", 40: LONG_WORD, 400: "مرحبا"}
    for days, label in labels.items():
        visitor.page.evaluate(
            """([token, label, days]) => localStorage.setItem(`chat.session.${token}`,
                JSON.stringify({ token, name: "Ada", label, at: Date.now() - days * 864e5,
                  ended: days > 9 && days < 99, lastSeq: 2, seenSeq: days > 9 ? 2 : 1,
                  lastWords: "The start of the last message, which may be long" }))""",
            [str(uuid4()), label, days],
        )
    visitor.page.reload()
    expect(visitor.page.locator(".turn").last).to_be_visible()
    if visitor.page.locator("#open-sidebar").is_visible():
        visitor.page.locator("#open-sidebar").click()
    expect(visitor.page.locator(".sidebar-entry")).to_have_count(5)


@state
def search(visitor: ScriptedVisitor) -> None:
    sidebar(visitor)
    visitor.page.locator(".sidebar-search").fill("WRAP")
    expect(visitor.page.locator(".sidebar-entry mark")).to_have_text("wrap")


@state
def drawer(visitor: ScriptedVisitor) -> None:
    visitor.page.set_viewport_size({"width": 375, "height": 740})
    sidebar(visitor)


@state
def session_dialog(visitor: ScriptedVisitor) -> None:
    sidebar(visitor)
    visitor.page.locator(".sidebar-entry .icon-button").first.click()
    visitor.page.locator("dialog .delete summary").click()


@state
def settings(visitor: ScriptedVisitor) -> None:
    visitor.start_with(MESSAGES)
    visitor.page.locator("#bar .bar-button").last.click()
    expect(visitor.dialog).to_be_visible()
