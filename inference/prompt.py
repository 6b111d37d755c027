"""Turns of a conversation as the text or the roles that a model reads. Pure.

A budget is counted in estimated tokens, see `estimate_tokens`. What does not fit loses its oldest
turns; a last turn that is too long on its own loses its head, because its end is what was asked.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

HUMAN: Final = "Human:"
BOT: Final = "Bot:"

# Words with the space before them, then white space and all else one character at a time.
_PIECE: Final = re.compile(r" ?[A-Za-z][a-z]{0,15}|.", re.DOTALL)
_COLON: Final = re.compile("[:\uff1a\ufe55\ufe13\ua789\u2236]")
_ROLE_TOKENS: Final = 8


@dataclass(frozen=True)
class Turn:
    """One message of the conversation, without a tag: `source` says who spoke."""

    source: Literal["human", "bot"]
    text: str


@dataclass(frozen=True)
class ChatMessage:
    """One message in the words of a chat API."""

    role: Literal["user", "assistant"]
    content: str


def build_prompt(turns: Sequence[Turn], budget_tokens: int) -> str:
    """Write the turns as `Human: …` and `Bot: …`, oldest first, ending in `Bot:`.

    `turns` ends with the message to be answered. No text can open a turn of its own.
    """
    shown = [replace(turn, text=_neutralise(turn.text)) for turn in turns]
    kept = _keep_newest(shown, budget_tokens - estimate_tokens(BOT), _tag_tokens)
    # Losing its head may have put a tag at the start of what is left.
    lines = [f"{_tag(turn)} {_neutralise(turn.text)}" for turn in kept]
    return "\n".join([*lines, BOT])


def build_messages(turns: Sequence[Turn], budget_tokens: int) -> list[ChatMessage]:
    """Give the turns as roles that alternate and start with the user, as chat templates demand."""
    shown = [replace(turn, text=_without_control_tokens(turn.text.strip())) for turn in turns]
    kept = _keep_newest(shown, budget_tokens, lambda turn: _ROLE_TOKENS)
    messages: list[ChatMessage] = []
    for turn in kept:
        if turn.source == "bot" and not messages:
            continue
        role: Literal["user", "assistant"] = "user" if turn.source == "human" else "assistant"
        if messages and messages[-1].role == role:
            joined = f"{messages.pop().content}\n\n{turn.text}"
            messages.append(ChatMessage(role, joined))
        else:
            messages.append(ChatMessage(role, turn.text))
    return messages


def estimate_tokens(text: str) -> int:
    """Estimate, rather too high than too low, how many tokens a model makes of `text`.

    Byte-level BPE, which GPT-2, GPT-J and their successors share, never makes more tokens than
    there are UTF-8 bytes. So everything that is not an English-looking word counts its bytes: that
    is nearly right for digits and symbols, and on the safe side for emoji and other scripts.
    A word counts one token for each three letters begun; English prose really takes one for four.
    Only letters at random are worth more than that, up to twice as many: such a prompt may be
    rejected, and a message whose reply failed is not in the next one.
    """
    return sum(_piece_tokens(piece) for piece in _PIECE.findall(text))


def _piece_tokens(piece: str) -> int:
    if piece[-1].isascii() and piece[-1].isalpha():
        return (len(piece.lstrip(" ")) + 2) // 3
    return len(piece.encode("utf-8", "surrogatepass"))


def _keep_newest(
    turns: Sequence[Turn], budget_tokens: int, overhead_tokens: Callable[[Turn], int]
) -> list[Turn]:
    kept: list[Turn] = []
    left = budget_tokens
    for turn in reversed(turns):
        room = left - overhead_tokens(turn)
        cost = estimate_tokens(turn.text)
        if cost > room:
            if not kept:
                kept.append(replace(turn, text=_tail(turn.text, room)))
            break
        kept.append(turn)
        left = room - cost
    return kept[::-1]


def _tail(text: str, budget_tokens: int) -> str:
    """Return the longest end of `text` that fits the budget, beginning with a whole word."""
    left = budget_tokens
    start = len(text)
    for piece in reversed(_PIECE.findall(text)):
        left -= _piece_tokens(piece)
        if left < 0:
            break
        start -= len(piece)
    return text[start:].lstrip()


def _tag(turn: Turn) -> str:
    return HUMAN if turn.source == "human" else BOT


def _tag_tokens(turn: Turn) -> int:
    """Tokens of the tag, the space after it and the line's end."""
    return estimate_tokens(_tag(turn)) + 2


def _neutralise(text: str) -> str:
    """Take from every line that begins like a turn the colon that would make it one."""
    lines = _without_control_tokens(text.strip()).splitlines()
    return "\n".join(_neutralise_line(line) for line in lines)


def _neutralise_line(line: str) -> str:
    colon = _COLON.search(line)
    if colon is None:
        return line
    head = line[: colon.start()]
    if _visible(head) not in ("human", "bot"):
        return line
    return f"({head.strip()}){line[colon.end() :]}"


def _visible(text: str) -> str:
    """Reduce text to what a reader sees: no spaces, zero-width or combining characters, no case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CMZ")


def _without_control_tokens(text: str) -> str:
    """Break `<|im_start|>` and its like, which a server may read as a turn's real border."""
    return text.replace("<|", "< |")
