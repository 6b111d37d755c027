"""How replies look while they stream in, and formulas and code in messages."""

import re

from playwright.sync_api import expect

from tests.browser.frames import bot, completed, delta, human, started
from tests.browser.states import MATHEMATICS
from tests.browser.visitor import NewVisitor, ScriptedVisitor, Show

CARET = "(selector) => getComputedStyle(document.querySelector(selector), '::after').inlineSize"


def scripted(new_visitor: NewVisitor) -> ScriptedVisitor:
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    return visitor


def test_complete_lines_of_code_have_colours_while_they_stream_in(
    new_visitor: NewVisitor,
) -> None:
    visitor = scripted(new_visitor)
    visitor.start_with([human(1, "Some code?")])
    code = "```python\ndef first():\n    return 1\ndef sec"

    visitor.server.send(started(1), delta(1, 0, code[:30]), delta(1, 30, code[30:]))

    first = visitor.page.locator(".hljs-keyword").first
    expect(first).to_have_text("def")
    first.evaluate("(element) => { element.isFirst = true; }")
    shown = visitor.page.locator("figure code")
    expect(shown).to_have_text("def first():\n    return 1\ndef sec")
    expect(visitor.page.locator(".hljs-keyword")).to_have_count(2)

    visitor.server.send(delta(1, len(code), "ond():\n    pass\n#"))
    expect(visitor.page.locator(".hljs-keyword")).to_have_count(4)
    assert first.evaluate("(element) => element.isFirst")

    visitor.server.send(completed(bot(2, 1, code + "ond():\n    pass\n#\n```")))
    expect(shown).to_have_text("def first():\n    return 1\ndef second():\n    pass\n#")


def test_a_caret_is_shown_at_the_end_until_the_reply_is_complete(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor)
    visitor.start_with([human(1, "Hello?")])

    visitor.server.send(started(1), delta(1, 0, "Hello\n\n- a\n- b"))
    expect(visitor.page.locator("reply-text li")).to_have_count(2)
    assert visitor.page.evaluate(CARET, "reply-text li:last-child") != "auto"
    assert visitor.page.evaluate(CARET, "reply-text p") == "auto"

    visitor.server.send(completed(bot(2, 1, "Hello\n\n- a\n- b")))
    visitor.expect_turn(0, "done")
    assert visitor.page.evaluate(CARET, "reply-text li:last-child") == "auto"


def test_forgotten_messages_are_separated_between_turns(show: Show) -> None:
    page = show("out_of_context").page

    expect(page.locator(".turn .boundary")).to_have_count(0)
    expect(page.locator(".boundary + .turn .human-text")).to_have_text("Three?")


def test_formulas_are_typeset(show: Show) -> None:
    page = show("mathematics").page

    expect(page.locator("reply-text math")).to_have_count(4)
    expect(page.locator("reply-text mfrac")).to_have_count(2)
    expect(page.locator("reply-text")).to_contain_text("costs less than $5 or $10.")
    expect(page.locator("reply-text code")).to_have_text(r"\unknowncommand{x}")


def test_the_source_of_formulas_is_shown_without_their_library(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor)
    visitor.page.route("**/temml.js", lambda route: route.abort())
    with visitor.page.expect_console_message(lambda logged: "Failed to load" in logged.text):
        visitor.start_with([human(1, "What are the roots?"), bot(2, 1, MATHEMATICS)])
    visitor.errors.clear()

    expect(visitor.page.locator("reply-text code").first).to_have_text("ax^2 + bx + c = 0")


def test_code_in_the_visitors_own_message_is_a_block(show: Show) -> None:
    page = show("tasks_and_own_code").page

    expect(page.locator("human-text .hljs-built_in")).to_have_text("print")
    expect(page.locator("human-text")).to_contain_text("It says *SyntaxError*.")


def test_tasks_are_checkboxes_and_lists_keep_their_numbers(show: Show) -> None:
    page = show("tasks_and_own_code").page

    expect(page.locator("reply-text input")).to_have_count(2)
    expect(page.locator("reply-text input").first).to_be_checked()
    expect(page.locator("reply-text ol").last).to_have_attribute("start", "2")
    expect(page.locator("reply-text td").nth(2)).to_have_css("text-align", re.compile("right$"))
