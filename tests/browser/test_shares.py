"""Read-only links in a real browser: the dialog that creates them, and the page that they open."""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, Route, expect

from chat.schemas import session_id
from chat.store import sessions, shares
from chat.store.client import Store
from chat.store.shares import ShareLimits
from tests.browser.states import LANGUAGES, MARKDOWN, MATHEMATICS, TASKS
from tests.browser.test_states import (
    AXE,
    HEIGHTS,
    NARROW_DARK_RULES,
    OVERFLOWS,
    RULES,
    RUN_AXE,
    SCHEMES,
    save_screenshot,
)
from tests.browser.visitor import NewVisitor, Visitor
from tests.component.conftest import LIMITS
from tests.processes import Stack

Share = Callable[..., str]
ATTACKS = (
    "<script>window.attacked = 1</script>",
    "<img src=x onerror='window.attacked = 1'>",
    "[click](javascript:window.attacked=1) ![x](javascript:window.attacked=1)",
    "<svg onload='window.attacked = 1'></svg>\n\n```html\n</code><script>attacked=1</script>\n```",
    "$\\href{javascript:window.attacked=1}{x}$ and $$\\htmlData{x=1}{y}$$",
    "</script></template><iframe srcdoc='<script>parent.attacked=1</script>'></iframe>",
)
LANGUAGES_OF_READERS = ["en", pytest.param("ar", marks=pytest.mark.slow)]
READ_STORAGE = """() => { try { return localStorage.length; } catch ({ name }) { return name; } }"""


@pytest.fixture
def share(stack: Stack) -> Iterator[Share]:
    """Share messages, questions and replies in turn, of a session of their own; return the URL."""
    store = Store(stack.redis_url, connections=1)

    def create(*texts: str, name: str | None = None) -> str:
        session = session_id(str(uuid4()))
        secret = shares.new_secret(session)
        store.run(sessions.create(session, "Ada", address=session, limits=LIMITS))
        ids = [str(uuid4()) for _ in texts]
        messages = [
            {
                "id": ids[index],
                "source": "bot" if index % 2 else "human",
                "msg": text,
                "timestamp": "2026-03-01T09:30:04.120Z",
                "reply_to": ids[index - 1] if index % 2 else None,
            }
            for index, text in enumerate(texts)
        ]
        snapshot = {"name": name, "created": "2026-03-01T09:31:00.000Z", "messages": messages}
        command = shares.create(
            session,
            shares.share_id(secret),
            [json.dumps(snapshot)],
            messages=len(texts),
            is_named=name is not None,
            ttl_s=None,
            address=session,
            limits=ShareLimits(per_session=1, per_minute=1, bytes=10_000_000),
        )
        store.run(command)
        return f"{stack.url}/s/{secret}"

    yield create
    store.redis.close()


def open_share(new_visitor: NewVisitor, url: str, **options: object) -> Page:
    page = new_visitor(**options).page
    page.goto(url)
    expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
    return page


def open_dialog(visitor: Visitor) -> None:
    visitor.page.locator(".sidebar-entry .icon-button").first.click()
    visitor.dialog.get_by_text("Share a read-only link…").click()
    expect(visitor.dialog.get_by_role("button", name="Create link")).to_be_visible()


def create_link(visitor: Visitor) -> str:
    visitor.dialog.get_by_role("button", name="Create link").click()
    address = visitor.dialog.get_by_label("Address of the link")
    expect(address).to_be_visible()
    return address.input_value()


def test_a_visitor_shares_a_conversation_and_revokes_the_link(
    visitor: Visitor, new_visitor: NewVisitor
) -> None:
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    open_dialog(visitor)
    url = create_link(visitor)
    visitor.dialog.get_by_label("Show my name (Ada)").check()
    visitor.dialog.get_by_label("After one hour").check()
    named = create_link_again(visitor, url)
    links = visitor.dialog.locator(".share-links li")
    expect(links).to_have_count(2)
    expect(links.first).to_contain_text("2 messages")
    expect(links.first).to_contain_text("Ends with this conversation.")
    expect(links.last).to_contain_text("Shows your name.")

    reader = open_share(new_visitor, url)
    assert visitor.token() not in reader.content()
    expect(reader.locator(".human-text")).to_have_text("hello")
    expect(reader.locator("reply-text")).to_have_text(visitor.transcript()[0][1])
    assert "Ada" not in reader.locator("body").inner_text()
    expect(open_share(new_visitor, named).locator("#facts")).to_contain_text("shared by Ada")

    links.first.get_by_role("button", name="Revoke").click()
    expect(links).to_have_count(1)
    expect(visitor.dialog.get_by_role("button", name="Create link")).to_be_focused()
    ended = new_visitor()
    ended.page.goto(url)
    expect(ended.page.get_by_role("heading")).to_have_text("This conversation is no longer shared")
    ended.errors.clear()  # the browser logs the status 404


def create_link_again(visitor: Visitor, before: str) -> str:
    visitor.dialog.get_by_role("button", name="Create link").click()
    address = visitor.dialog.get_by_label("Address of the link")
    expect(address).not_to_have_value(before)
    return address.input_value()


@pytest.mark.slow
def test_a_refusal_is_explained(visitor: Visitor) -> None:
    open_dialog(visitor)

    visitor.dialog.get_by_role("button", name="Create link").click()

    expect(visitor.dialog.get_by_role("alert").first).to_have_text("There is nothing to share yet.")
    visitor.errors.clear()  # the browser logs the status 409


def test_a_shared_page_looks_like_the_conversation(new_visitor: NewVisitor, share: Share) -> None:
    url = share("Markdown?", MARKDOWN, "```python\nprint(1)\n```", MATHEMATICS, LANGUAGES[0], TASKS)
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    sockets: list[object] = []
    visitor.page.on("websocket", lambda socket: sockets.append(socket))
    page = visitor.page
    page.goto(url)

    expect(page.locator("reply-text table")).to_have_count(2)
    expect(page.locator("reply-text math").first).to_be_visible()
    expect(page.locator("human-text figure.code")).to_be_visible()
    expect(page.locator(".hljs-keyword").first).to_be_attached()
    expect(page.get_by_role("textbox")).to_have_count(0)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    wrap = page.get_by_role("button", name="Wrap lines").first
    wrap.click()
    expect(wrap).to_have_attribute("aria-pressed", "true")
    assert sockets == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES_OF_READERS)
def test_axe_finds_no_violation_on_a_shared_page(
    new_visitor: NewVisitor, share: Share, language: str
) -> None:
    url = share("What are the roots?", MATHEMATICS, LANGUAGES[0], MARKDOWN, name="Ada Lovelace")
    page = open_share(new_visitor, url, locale=language, reduced_motion="reduce")
    expect(page.locator("html")).to_have_attribute("lang", language)

    assert check_with_axe(page, f"shared-{language}") == []


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES_OF_READERS)
def test_axe_finds_no_violation_in_the_dialog(new_visitor: NewVisitor, language: str) -> None:
    visitor = new_visitor(locale=language, reduced_motion="reduce").start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.page.locator(".sidebar-entry .icon-button").first.click()
    visitor.dialog.locator("summary").first.click()
    visitor.dialog.locator(".share-form .button").click()
    expect(visitor.dialog.locator(".share-links li")).to_have_count(1)

    assert check_with_axe(visitor.page, f"share-dialog-{language}") == []


def check_with_axe(page: Page, name: str) -> list[str]:
    """Check all sizes for overflow, and the widest and the narrowest with axe, as for the page."""
    violations: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in sorted(HEIGHTS, reverse=scheme == "dark"):
            page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            save_screenshot(page, f"{name}-{width}-{scheme}")
            assert not page.evaluate(OVERFLOWS)
        page.evaluate(AXE.read_text())
        violations += page.evaluate(RUN_AXE, RULES if scheme == "light" else NARROW_DARK_RULES)
    return violations


@pytest.mark.slow
def test_markup_of_others_stays_text_and_reaches_no_storage(
    new_visitor: NewVisitor, share: Share
) -> None:
    texts = [text for attack in ATTACKS for text in (attack, attack)]
    page = open_share(new_visitor, share(*texts, name="<b>Eve</b><script>attacked=1</script>"))

    assert page.locator(".turn").count() == len(ATTACKS)
    assert page.locator("#turns :is(script, iframe, img, object, embed, form)").count() == 0
    assert page.locator("#turns [href^='javascript']").count() == 0
    assert page.locator("b").count() == 0
    assert page.evaluate("window.attacked") is None
    assert page.evaluate(READ_STORAGE) == "SecurityError"
    assert page.evaluate("window.origin") == "null"


@pytest.mark.slow
def test_a_long_conversation_is_shown_to_its_end(new_visitor: NewVisitor, share: Share) -> None:
    texts = [text for number in range(150) for text in (f"{number}?", f"**{number}**!")]

    page = open_share(new_visitor, share(*texts))

    expect(page.locator(".turn")).to_have_count(150)
    expect(page.locator("reply-text").last).to_have_text("149!")


@pytest.mark.slow
def test_a_conversation_that_cannot_be_loaded_is_an_error(
    new_visitor: NewVisitor, share: Share
) -> None:
    visitor = new_visitor()
    url = share("hello", "hi")
    answers = [(404, "{}"), (503, "{}"), (200, '{"messages":[')]

    def answer(route: Route) -> None:
        status, body = answers.pop(0)
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(status=status, body=body, headers=headers)

    visitor.page.route("**/*.json", answer)
    for sentence in ("This link has ended.", "could not be loaded", "could not be loaded"):
        visitor.page.goto(url)
        expect(visitor.page.get_by_role("alert")).to_contain_text(sentence)
    visitor.errors.clear()  # the browser logs the statuses
