"""Reasoning in <think> tags is no part of a reply, however the text is split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.reasoning import ReasoningFilter


def reply(pieces: list[str]) -> tuple[str, bool]:
    """Return the reply, and whether the model reasoned."""
    found, text, has_reasoned = ReasoningFilter(), "", False
    for piece in pieces:
        part = found.feed(piece)
        text = part.text if part.has_reasoning else text + part.text
        has_reasoned = has_reasoned or part.has_reasoning
    return text + found.end(), has_reasoned


FENCED = "```html\n<think>\n```\n"


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        # tags at the start
        ("<think>a</think>b", "b"),
        ("\n <think>\na\n</think>\n\nb", "\n\nb"),
        ("<think></think>b", "b"),
        ("<think>a</think><think>b</think>c", "c"),
        ("<think>a < b </thin> c</think>b", "b"),
        # unclosed: all of it is reasoning
        ("<think>", ""),
        ("<think>a", ""),
        ("<think>a</think", ""),
        # the template contains the opening tag
        ("a\n</think>\n\nb", "\n\nb"),
        ("a</think>b", "b"),
        ("</think>b", "b"),
        ("a with ``` and\n</think>b", "b"),
        # nested
        ("<think>a<think>b</think>c</think>d", "d"),
        ("<think><think>a</think>b</think>c</think>d", "c</think>d"),
        ("<think>I must not write <think> here</think>b", "b"),
        # tags in a reply
        ("Write <think> first", "Write <think> first"),
        ("Write <think>a</think> first", "Write <think>a</think> first"),
        ("Write `</think>` last", "Write `</think>` last"),
        ("`<think>` opens", "`<think>` opens"),
        ("```\n<think>a</think>\n```\nb", "```\n<think>a</think>\n```\nb"),
        ("```\n</think>\n```\nb", "```\n</think>\n```\nb"),
        ("~~~\n</think>\n~~~\n</think>b", "b"),
        ("<think>a</think>Write <think>b</think>.", "Write <think>b</think>."),
        ("<think>a</think>The tag </think> closes", "The tag </think> closes"),
        (f"<think>a</think>{FENCED}b", f"{FENCED}b"),
        (f"a</think>{FENCED}b", f"{FENCED}b"),
    ],
)
def test_reasoning_is_removed_and_tags_in_a_reply_stay(generated: str, expected: str) -> None:
    has_reasoned = expected != generated
    assert reply([generated]) == (expected, has_reasoned)
    assert reply(list(generated)) == (expected, has_reasoned)


@pytest.mark.parametrize(
    "generated",
    ["", " ", "<", "<thin", "a <", "a </think", "1 < 2 > 0", "</thinking>", "<thinking>"],
)
def test_what_only_resembles_a_tag_is_text(generated: str) -> None:
    assert reply([generated]) == reply(list(generated)) == (generated, False)


def test_text_is_returned_as_soon_as_no_tag_can_start() -> None:
    found = ReasoningFilter()
    assert [found.feed(piece).text for piece in ("1 ", "<", " 2")] == ["1 ", "", "< 2"]


def test_each_piece_of_reasoning_is_reported() -> None:
    found = ReasoningFilter()
    pieces = ["<think>", "a", " b", "</think>", "c", " d"]
    assert [found.feed(piece).has_reasoning for piece in pieces] == [
        *(True, True, True, True),
        *(False, False),
    ]


TOKENS = ["<think>", "</think>", "<", "think>", "</", "`", "```", "\n", " ", "a"]


@given(st.lists(st.sampled_from(TOKENS)))
def test_any_split_gives_the_same_reply(pieces: list[str]) -> None:
    whole, has_reasoned = reply(["".join(pieces)])
    assert reply(list("".join(pieces))) == (whole, has_reasoned) == reply(pieces)
    assert "".join(pieces).endswith(whole)
