"""The part of the generated text that is the reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.reply_text import ReplyText

PROMPT = "Human: hi\nBot:"


def reply(pieces: list[str], prompt: str = PROMPT, *stops: str) -> tuple[str, list[str], bool]:
    """Return the whole reply, its pieces, and whether it was cut."""
    text = ReplyText(prompt, stops or ("Human:",))
    out = [text.feed(piece) for piece in pieces]
    out.append(text.end())
    return "".join(out), [piece for piece in out if piece], text.is_stopped


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        (" Hello there.", "Hello there."),
        (" Hello.\nHuman: and then?\nBot: no", "Hello."),
        (" Hello.Human:", "Hello."),
        (" I am a Human being", "I am a Human being"),
        (" The Hum", "The Hum"),
        (" two\n\nparagraphs\n", "two\n\nparagraphs"),
        ("Human: again", ""),
        (" \n\t ", ""),
        (PROMPT + " Hello.", "Hello."),
        (PROMPT + " Hello.\nHuman: more", "Hello."),
        (PROMPT, ""),
        ("Hum", "Hum"),
        ("a\x00b\x1b[0mc\td", "ab[0mc\td"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("pair \ud83c\udf89!", "pair 🎉!"),
        ("ends in \ud83c", "ends in \ufffd"),
    ],
)
def test_the_reply_does_not_depend_on_the_size_of_the_pieces(generated: str, expected: str) -> None:
    assert reply([generated])[0] == expected
    assert reply(list(generated))[0] == expected


def test_text_is_returned_at_once_if_no_turn_can_start() -> None:
    text = ReplyText(PROMPT)
    assert text.feed(" Hello") == "Hello"
    assert text.feed(" wor") == " wor"
    assert text.feed("ld H") == "ld"
    assert text.feed("ello") == " Hello"


def test_text_after_a_generated_turn_is_dropped() -> None:
    text = ReplyText(PROMPT)
    assert text.feed(" yes Human: no") == "yes"
    assert text.is_stopped
    assert text.feed(" more") == ""
    assert text.end() == ""


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        ("Write Human: before it", "Write Human: before it"),
        ("Yes.\nHuman: more", "Yes."),
        ("Human: more", ""),
    ],
)
def test_a_chat_reply_may_contain_a_tag_within_a_line(generated: str, expected: str) -> None:
    assert reply(list(generated), "", "\nHuman:")[0] == expected


@given(
    st.lists(
        st.sampled_from(["Hu", "man", ":", "Human:", "\n", " ", "a", "\ud83c", "\udf89", "Bot:"])
    ),
    st.sampled_from(["", PROMPT]),
)
def test_any_split_gives_the_same_reply(pieces: list[str], prompt: str) -> None:
    whole, shown, was_cut = reply(pieces, prompt)
    assert (whole, was_cut) == reply(["".join(pieces)], prompt)[::2]
    assert "Human:" not in whole
    assert whole == whole.strip()
    assert all(piece.encode() for piece in shown)


@pytest.mark.parametrize(
    ("generated", "stops", "expected"),
    [
        ("one ### two", ("Human:", "###"), "one"),
        ("one Human: two ###", ("Human:", "###"), "one"),
        ("\n\n one\ntwo", ("Human:", "\n"), "one"),
        (" one\n\ntwo", ("Human:", "\n\n"), "one"),
        ("one ## two", ("Human:", "###"), "one ## two"),
    ],
)
def test_the_reply_ends_at_the_first_of_several_stops(
    generated: str, stops: tuple[str, ...], expected: str
) -> None:
    assert reply([generated], PROMPT, *stops)[0] == expected
    assert reply(list(generated), PROMPT, *stops)[0] == expected
