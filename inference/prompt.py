"""Build a model's input from the turns of a conversation: a prompt or chat messages. No I/O.

Budgets are in tokens: those that `count_tokens` counts, or estimated ones, see `estimate_tokens`.
The oldest turns are dropped until the rest fits. A last turn that alone exceeds the budget is
truncated at its start, since the question is usually at the end. The system prompt is always kept.
A last turn of the bot is the beginning of the reply, to be continued.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from inference.turn_markers import escape_markers, escape_special_tokens, fold, is_label

CountTokens = Callable[[str], int]

# A word with the space before it, or any other single character.
_PIECE: Final = re.compile(r" ?[A-Za-z][a-z]{0,15}|.", re.DOTALL)
_ROLE_TOKENS: Final = 8
_RESERVED_SHARE: Final = 32
# Of the budget, for the beginning of a reply that is continued. The rest is for the question.
_BEGINNING_SHARE: Final = 0.75


@dataclass(frozen=True)
class Speakers:
    """The names that label the turns of a text prompt. Raises ValueError for unusable ones."""

    human: str = "Human"
    bot: str = "Bot"

    def __post_init__(self) -> None:
        if not (is_label(self.human) and is_label(self.bot)):
            raise ValueError("A speaker's name must have 1 to 32 letters, and may contain spaces")
        if fold(self.human) == fold(self.bot):
            raise ValueError("The two speakers must have different names")

    @property
    def human_label(self) -> str:
        """What starts a turn of the human."""
        return f"{self.human}:"

    @property
    def bot_label(self) -> str:
        """What starts a turn of the model."""
        return f"{self.bot}:"

    def label(self, turn: "Turn") -> str:
        """Return what starts this turn."""
        return self.human_label if turn.source == "human" else self.bot_label


SPEAKERS: Final = Speakers()


@dataclass(frozen=True)
class Turn:
    """One message of the conversation, without a label; `source` is its author."""

    source: Literal["human", "bot"]
    text: str


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat API."""

    role: Literal["system", "user", "assistant"]
    content: str


def is_continued(turns: Sequence[Turn]) -> bool:
    """Return whether the last turn is the beginning of the reply."""
    return bool(turns) and turns[-1].source == "bot"


def estimate_tokens(text: str) -> int:
    """Estimate the number of tokens of `text`; the estimate is usually too high.

    Byte-level BPE, which GPT-2, GPT-J and their successors use, never yields more tokens than UTF-8
    bytes. Everything but ASCII words counts one token per byte: about right for digits and symbols,
    too high for emoji and other scripts. A word counts one token per three letters, rounded up;
    English prose has about one per four. Random letters have up to twice the estimate. The
    model may then reject the prompt; the next prompt omits that message, as its reply failed.
    """
    return sum(_piece_tokens(piece) for piece in _PIECE.findall(text))


def _reserve(budget_tokens: int, count_tokens: CountTokens) -> int:
    """Return the tokens for what servers add to a prompt; estimates are high enough without."""
    return 0 if count_tokens is estimate_tokens else budget_tokens // _RESERVED_SHARE


def _piece_tokens(piece: str) -> int:
    if piece[-1].isascii() and piece[-1].isalpha():
        return (len(piece.lstrip(" ")) + 2) // 3
    return len(piece.encode("utf-8", "surrogatepass"))


def build_prompt(
    turns: Sequence[Turn],
    budget_tokens: int,
    *,
    system_prompt: str = "",
    speakers: Speakers = SPEAKERS,
    count_tokens: CountTokens = estimate_tokens,
) -> str:
    """Return the turns as lines `Human: …` and `Bot: …`, oldest first, ending in `Bot:`.

    `turns` ends with the message to reply to, or with the beginning of the reply, in which the
    prompt then ends. Labels and special tokens within a text are escaped,
    so that no text can start another turn. The system prompt and an empty line precede the turns.
    """
    preamble = f"{system_prompt}\n\n" if system_prompt else ""
    escape = partial(escape_markers, names=(speakers.human, speakers.bot))

    def overhead_tokens(turn: Turn) -> int:
        """Return the tokens of the label, the space after it and the line end."""
        return estimate_tokens(speakers.label(turn)) + 2

    budget_tokens -= _reserve(budget_tokens, count_tokens) + count_tokens(preamble)
    budget_tokens -= estimate_tokens(speakers.bot_label)
    kept = _Window(turns, overhead_tokens, escape, count_tokens).fit(budget_tokens)
    lines = [f"{speakers.label(turn)} {turn.text}" for turn in kept]
    return preamble + "\n".join(lines if is_continued(turns) else [*lines, speakers.bot_label])


def build_messages(
    turns: Sequence[Turn],
    budget_tokens: int,
    *,
    system_prompt: str = "",
    count_tokens: CountTokens = estimate_tokens,
) -> list[ChatMessage]:
    """Return the turns with roles that alternate and start with the user, for chat templates.

    Only special tokens are escaped: a chat template does not read labels. A message with the role
    `system` precedes them if there is a system prompt.
    """
    budget_tokens -= _reserve(budget_tokens, count_tokens)
    if system_prompt:
        budget_tokens -= count_tokens(system_prompt) + _ROLE_TOKENS
    window = _Window(turns, lambda turn: _ROLE_TOKENS, escape_special_tokens, count_tokens)
    messages: list[ChatMessage] = []
    for turn in window.fit(budget_tokens):
        if turn.source == "bot" and not messages:
            continue
        role: Literal["user", "assistant"] = "user" if turn.source == "human" else "assistant"
        if messages and messages[-1].role == role:
            joined = f"{messages.pop().content}\n\n{turn.text}"
            messages.append(ChatMessage(role, joined))
        else:
            messages.append(ChatMessage(role, turn.text))
    return [ChatMessage("system", system_prompt), *messages] if system_prompt else messages


@dataclass(frozen=True)
class _Window:
    """The turns of a conversation that fit a budget, escaped.

    `overhead_tokens` is what a turn needs besides its text.
    """

    turns: Sequence[Turn]
    overhead_tokens: Callable[[Turn], int]
    escape: Callable[[str], str]
    count_tokens: CountTokens

    def fit(self, budget_tokens: int) -> list[Turn]:
        """Return the turns that fit, and of a reply to be continued at least the end."""
        if not is_continued(self.turns):
            return self._keep_newest(self.turns, budget_tokens)
        share = int(budget_tokens * _BEGINNING_SHARE)
        [beginning] = self._keep_newest(self.turns[-1:], share)
        left = budget_tokens - self.overhead_tokens(beginning) - self.count_tokens(beginning.text)
        return [*self._keep_newest(self.turns[:-1], left), beginning]

    def _keep_newest(self, turns: Sequence[Turn], budget_tokens: int) -> list[Turn]:
        """Return the newest turns that fit; truncate the last one if it alone does not."""
        kept: list[Turn] = []
        left = budget_tokens
        for turn in reversed(turns):
            available = left - self.overhead_tokens(turn)
            text = self.escape(turn.text.strip())
            tokens = self.count_tokens(text)
            if tokens > available:
                if not kept:
                    kept.append(replace(turn, text=self._truncate_start(text, available)))
                break
            kept.append(replace(turn, text=text))
            left = available - tokens
        return kept[::-1]

    def _truncate_start(self, text: str, budget_tokens: int) -> str:
        """Return the longest suffix of `text` that fits and starts with a whole word."""
        # What the model would count as the budget, in the units in which the text is cut.
        suffix_tokens = budget_tokens * estimate_tokens(text) // max(self.count_tokens(text), 1)
        # Truncation may move a label to the start of the text, and escaping it takes another token.
        while True:
            rest = self.escape(_suffix(text, suffix_tokens))
            if not rest or self.count_tokens(rest) <= budget_tokens:
                return rest
            suffix_tokens -= max(suffix_tokens // 20, 1)


def _suffix(text: str, budget_tokens: int) -> str:
    left = budget_tokens
    start = len(text)
    for piece in reversed(_PIECE.findall(text)):
        left -= _piece_tokens(piece)
        if left < 0:
            break
        start -= len(piece)
    return text[start:].lstrip()
