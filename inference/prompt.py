"""Build a model's input from the turns of a conversation: a prompt or chat messages. No I/O.

Budgets are in estimated tokens, see `estimate_tokens`. The oldest turns are dropped until the rest
fits. A last turn that alone exceeds the budget is truncated at its start, since the question is
usually at the end. A last turn of the bot is the beginning of the reply, to be continued.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from inference.turn_markers import escape_markers, escape_special_tokens

HUMAN: Final = "Human:"
BOT: Final = "Bot:"

# A word with the space before it, or any other single character.
_PIECE: Final = re.compile(r" ?[A-Za-z][a-z]{0,15}|.", re.DOTALL)
_ROLE_TOKENS: Final = 8
# Of the budget, for the beginning of a reply that is continued. The rest is for the question.
_BEGINNING_SHARE: Final = 0.75


@dataclass(frozen=True)
class Turn:
    """One message of the conversation, without a label; `source` is its author."""

    source: Literal["human", "bot"]
    text: str


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat API."""

    role: Literal["user", "assistant"]
    content: str


def is_continued(turns: Sequence[Turn]) -> bool:
    """Return whether the last turn is the beginning of the reply."""
    return bool(turns) and turns[-1].source == "bot"


def build_prompt(turns: Sequence[Turn], budget_tokens: int) -> str:
    """Return the turns as lines `Human: …` and `Bot: …`, oldest first, ending in `Bot:`.

    `turns` ends with the message to reply to, or with the beginning of the reply: then the lines
    end in `Bot: …`. Labels and special tokens within a text are escaped, so that no text can start
    another turn.
    """
    kept = _fit(turns, budget_tokens - estimate_tokens(BOT), _label_tokens, escape_markers)
    lines = [f"{_label(turn)} {turn.text}" for turn in kept]
    return "\n".join(lines if is_continued(turns) else [*lines, BOT])


def build_messages(turns: Sequence[Turn], budget_tokens: int) -> list[ChatMessage]:
    """Return the turns with roles that alternate and start with the user, for chat templates.

    Only special tokens are escaped: a chat template does not read labels.
    """
    kept = _fit(turns, budget_tokens, lambda turn: _ROLE_TOKENS, escape_special_tokens)
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


def _fit(
    turns: Sequence[Turn],
    budget_tokens: int,
    overhead_tokens: Callable[[Turn], int],
    escape: Callable[[str], str],
) -> list[Turn]:
    """Return the turns that fit, and of a reply to be continued at least the end."""
    if not is_continued(turns):
        return _keep_newest(turns, budget_tokens, overhead_tokens, escape)
    share = int(budget_tokens * _BEGINNING_SHARE)
    beginning = _keep_newest(turns[-1:], share, overhead_tokens, escape)[0]
    left = budget_tokens - overhead_tokens(beginning) - estimate_tokens(beginning.text)
    return [*_keep_newest(turns[:-1], left, overhead_tokens, escape), beginning]


def _keep_newest(
    turns: Sequence[Turn],
    budget_tokens: int,
    overhead_tokens: Callable[[Turn], int],
    escape: Callable[[str], str],
) -> list[Turn]:
    """Return the newest turns that fit, escaped; truncate the last one if it alone does not."""
    kept: list[Turn] = []
    left = budget_tokens
    for turn in reversed(turns):
        available = left - overhead_tokens(turn)
        text = escape(turn.text.strip())
        tokens = estimate_tokens(text)
        if tokens > available:
            if not kept:
                kept.append(replace(turn, text=_truncate_start(text, available, escape)))
            break
        kept.append(replace(turn, text=text))
        left = available - tokens
    return kept[::-1]


def _truncate_start(text: str, budget_tokens: int, escape: Callable[[str], str]) -> str:
    """Return the longest suffix of `text` that fits the budget and starts with a whole word."""
    suffix_tokens = budget_tokens
    # Truncation may move a label to the start of the text, and escaping it takes another token.
    while True:
        rest = escape(_suffix(text, suffix_tokens))
        if not rest or estimate_tokens(rest) <= budget_tokens:
            return rest
        suffix_tokens -= 1


def _suffix(text: str, budget_tokens: int) -> str:
    left = budget_tokens
    start = len(text)
    for piece in reversed(_PIECE.findall(text)):
        left -= _piece_tokens(piece)
        if left < 0:
            break
        start -= len(piece)
    return text[start:].lstrip()


def _label(turn: Turn) -> str:
    return HUMAN if turn.source == "human" else BOT


def _label_tokens(turn: Turn) -> int:
    """Return the tokens of the label, the space after it and the line end."""
    return estimate_tokens(_label(turn)) + 2
