"""Build a model's input from the turns of a conversation: a prompt or chat messages. No I/O.

Budgets are in estimated tokens, see `estimate_tokens`. The oldest turns are dropped until the rest
fits. A last turn that alone exceeds the budget is truncated at its start, since the question is
usually at the end.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

HUMAN: Final = "Human:"
BOT: Final = "Bot:"

# A word with the space before it, or any other single character.
_PIECE: Final = re.compile(r" ?[A-Za-z][a-z]{0,15}|.", re.DOTALL)
_COLON: Final = re.compile("[:\uff1a\ufe55\ufe13\ua789\u2236]")
_ROLE_TOKENS: Final = 8


@dataclass(frozen=True)
class Turn:
    """One message of the conversation, without a tag; `source` is its author."""

    source: Literal["human", "bot"]
    text: str


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat API."""

    role: Literal["user", "assistant"]
    content: str


def build_prompt(turns: Sequence[Turn], budget_tokens: int) -> str:
    """Return the turns as lines `Human: …` and `Bot: …`, oldest first, ending in `Bot:`.

    `turns` ends with the message to reply to. Tags within a text are escaped, so that no text can
    start another turn.
    """
    escaped = [replace(turn, text=_escape_tags(turn.text)) for turn in turns]
    kept = _keep_newest(escaped, budget_tokens - estimate_tokens(BOT), _tag_tokens)
    # Truncation may have moved a tag to the start of the text.
    lines = [f"{_tag(turn)} {_escape_tags(turn.text)}" for turn in kept]
    return "\n".join([*lines, BOT])


def build_messages(turns: Sequence[Turn], budget_tokens: int) -> list[ChatMessage]:
    """Return the turns with roles that alternate and start with the user, for chat templates."""
    escaped = [replace(turn, text=_escape_control_tokens(turn.text.strip())) for turn in turns]
    kept = _keep_newest(escaped, budget_tokens, lambda turn: _ROLE_TOKENS)
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
    """Estimate the number of tokens of `text`; the estimate is usually too high.

    Byte-level BPE, which GPT-2, GPT-J and their successors use, never yields more tokens than UTF-8
    bytes. Everything but ASCII words counts one token per byte: about right for digits and symbols,
    too high for emoji and other scripts. A word counts one token per three letters, rounded up;
    English prose has about one per four. Random letters have up to twice the estimate. The
    model may then reject the prompt; the next prompt omits that message, as its reply failed.
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
        available = left - overhead_tokens(turn)
        tokens = estimate_tokens(turn.text)
        if tokens > available:
            if not kept:
                kept.append(replace(turn, text=_truncate_start(turn.text, available)))
            break
        kept.append(turn)
        left = available - tokens
    return kept[::-1]


def _truncate_start(text: str, budget_tokens: int) -> str:
    """Return the longest suffix of `text` that fits the budget and starts with a whole word."""
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
    """Return the tokens of the tag, the space after it and the line end."""
    return estimate_tokens(_tag(turn)) + 2


def _escape_tags(text: str) -> str:
    """Escape tags: a line that starts with one loses its colon, and the tag gets parentheses."""
    lines = _escape_control_tokens(text.strip()).splitlines()
    return "\n".join(_escape_tag(line) for line in lines)


def _escape_tag(line: str) -> str:
    colon = _COLON.search(line)
    if colon is None:
        return line
    head = line[: colon.start()]
    if _normalise(head) not in ("human", "bot"):
        return line
    return f"({head.strip()}){line[colon.end() :]}"


def _normalise(text: str) -> str:
    """Normalise text for comparison: no spaces, zero-width or combining characters, no case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CMZ")


def _escape_control_tokens(text: str) -> str:
    """Escape `<|im_start|>` and similar, which a server may parse as a control token."""
    return text.replace("<|", "< |")
