"""A conversation in a real browser with a running site."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.model_stub import Behaviour, ModelStub, failing

MARKDOWN = """Some **bold** words and `code`.

1. one
2. two

```python
def greet() -> str:
    return "hello"
```

| a | b |
|---|---|
| 1 | 2 |

[good](https://example.org/) [bad](javascript:alert(1)) ![picture](https://example.org/x.png)

<img src=x onerror=alert(1)> <script>alert(1)</script>"""

IS_AT_END = """() => {
  const transcript = document.getElementById("transcript");
  return transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight < 2;
}"""

SCROLL_TOP = "document.getElementById('transcript').scrollTop"


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\s*\S+", text))


def test_reply_streams_in_below_its_message(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(text="one two three", hold_after=1))

    visitor.send("count")

    visitor.expect_turn(0, "streaming", "one")
    model_stub.release()
    visitor.expect_turn(0, "done", "one two three")
    assert visitor.transcript() == [["count", "one two three"]]


def test_messages_sent_during_a_reply_are_queued(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(text="slow one", hold_after=0))

    visitor.send("first")
    visitor.send("second")

    expect(visitor.turn(1)).to_contain_text("1 message ahead")
    model_stub.release()
    visitor.expect_turn(1, "done")
    assert visitor.transcript() == [["first", "slow one"], ["second", "You said: second"]]


def test_markdown_is_rendered_and_cannot_run_scripts(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    requested: list[str] = []
    visitor.page.on("request", lambda request: requested.append(request.url))
    model_stub.script(Behaviour(pieces=words(MARKDOWN), piece_delay_s=0.01))

    visitor.send("show me")
    reply = visitor.expect_turn(0, "done").locator("reply-text")

    expect(reply.locator("strong")).to_have_text("bold")
    expect(reply.locator("ol > li")).to_have_count(2)
    expect(reply.locator("figure figcaption")).to_contain_text("python")
    expect(reply.locator("figure .hljs-keyword").first).to_have_text("def")
    expect(reply.locator("table td")).to_have_count(2)
    links = reply.locator("a")
    assert links.evaluate_all("links => links.map((link) => link.getAttribute('href'))") == [
        "https://example.org/",
        None,
        "https://example.org/x.png",
    ]
    expect(links.first).to_have_attribute("target", "_blank")
    expect(links.first).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(reply.locator("img, script")).to_have_count(0)
    expect(reply).to_contain_text("<script>alert(1)</script>")
    assert {
        url for url in requested if not url.startswith((visitor.site, "blob:", "data:"))
    } == set()


def test_streamed_markdown_equals_markdown_rendered_at_once(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(pieces=tuple(MARKDOWN), piece_delay_s=0.003))
    visitor.send("show me")
    visitor.expect_turn(0, "done")
    reply = visitor.turn(0).locator("reply-text")
    expect(reply.locator(".hljs-keyword").first).to_be_visible()
    streamed = reply.inner_html()

    visitor.page.reload()

    visitor.expect_turn(0, "done")
    expect(reply.locator(".hljs-keyword").first).to_be_visible()
    assert reply.inner_html() == streamed


def test_code_is_copied_as_plain_text(new_visitor: NewVisitor, model_stub: ModelStub) -> None:
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"]).start()
    model_stub.script(Behaviour(text=MARKDOWN))
    visitor.send("show me")
    visitor.expect_turn(0, "done")

    visitor.page.get_by_role("button", name="Copy").locator("visible=true", has_text="Copy").click()

    visitor.page.wait_for_function(
        """async () => await navigator.clipboard.readText()
            === 'def greet() -> str:\\n    return "hello"'"""
    )


def test_stopped_reply_keeps_its_partial_text(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(text="one two", endless=True, piece_delay_s=0.2))
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one")

    visitor.click("Stop the reply")

    expect(visitor.expect_turn(0, "done", "one")).to_contain_text("Stopped by you")
    expect(visitor.page.get_by_role("button", name="Stop the reply")).to_have_count(0)


def test_regenerated_reply_replaces_the_first(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(text="first try"), Behaviour(text="second try"))
    visitor.send("hello")
    visitor.expect_turn(0, "done", "first try")

    visitor.turn(0).hover()
    visitor.click("Regenerate")

    visitor.expect_turn(0, "done", "second try")
    assert visitor.transcript() == [["hello", "second try"]]


def test_failed_reply_says_why_and_can_be_retried(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(*[failing(500)] * 3, Behaviour(text="now it works"))
    visitor.send("hello")
    failed = visitor.expect_turn(0, "failed")
    expect(failed).to_contain_text("The model can't be reached.")

    failed.get_by_role("button", name="Retry").click()

    visitor.expect_turn(0, "done", "now it works")


def test_last_message_is_edited_and_resent(visitor: Visitor) -> None:
    visitor.send("helo")
    visitor.expect_turn(0, "done")

    visitor.page.keyboard.press("Alt+ArrowUp")
    editor = visitor.page.get_by_label("Edit your message")
    expect(editor).to_have_value("helo")
    editor.fill("hello")
    editor.press("Enter")

    visitor.expect_turn(0, "done", "You said: hello")
    assert visitor.transcript() == [["hello", "You said: hello"]]


def test_enter_sends_and_shift_enter_inserts_a_line(visitor: Visitor) -> None:
    before = visitor.composer.bounding_box()
    visitor.composer.press_sequentially("one")
    visitor.composer.press("Shift+Enter")
    visitor.composer.press_sequentially("two")
    after = visitor.composer.bounding_box()
    assert before
    assert after
    assert after["height"] > before["height"]

    visitor.composer.press("Enter")

    expect(visitor.turn(0).locator(".human-text")).to_have_text("one\ntwo")
    expect(visitor.composer).to_have_value("")


@pytest.mark.parametrize("hint", [{"isComposing": True}, {"keyCode": 229}])
def test_enter_that_ends_a_composition_does_not_send(
    visitor: Visitor, hint: dict[str, object]
) -> None:
    visitor.composer.fill("にほん")

    visitor.composer.dispatch_event("keydown", {"key": "Enter", "bubbles": True, **hint})

    expect(visitor.composer).to_have_value("にほん")
    expect(visitor.page.locator(".turn")).to_have_count(0)


def test_transcript_scrolls_only_while_the_reader_is_at_its_end(
    visitor: Visitor, model_stub: ModelStub
) -> None:
    paragraphs = tuple(f"Paragraph {n}.\n\n" for n in range(60))
    model_stub.script(Behaviour(pieces=paragraphs, piece_delay_s=0.05))
    visitor.send("tell me a lot")
    visitor.expect_turn(0, "streaming", "Paragraph 25.")
    assert visitor.page.evaluate(IS_AT_END)

    visitor.page.locator("#transcript").hover()
    visitor.page.mouse.wheel(0, -400)
    jump = visitor.page.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    top = visitor.page.evaluate(SCROLL_TOP)
    visitor.expect_turn(0, "done", "Paragraph 59.")
    assert visitor.page.evaluate(SCROLL_TOP) == top

    jump.click()

    visitor.page.wait_for_function(IS_AT_END)
    expect(jump).to_have_count(0)
