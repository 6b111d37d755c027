"""Separate the reasoning of a model, which it writes between <think> tags, from its reply. No I/O.

Models such as DeepSeek-R1 and Qwen3 write their reasoning first. A server that knows the model's
format sends it apart, as `reasoning_content`; others send it as text with the tags. The templates
of some models already contain the opening tag, so that only the closing one is generated.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

OPENING: Final = "<think>"
CLOSING: Final = "</think>"
_TAG: Final = re.compile(f"{OPENING}|{CLOSING}")
_FENCES: Final = ("```", "~~~")


@dataclass(frozen=True)
class Part:
    """What some generated text contributes to the reply.

    If `has_reasoning`, everything before `text` was reasoning, also what was returned as the
    reply's text before its closing tag arrived.
    """

    text: str
    has_reasoning: bool


class _Phase(Enum):
    START = auto()  # only white space so far, or what may become an opening tag
    REASONING = auto()
    REPLY = auto()


class ReasoningFilter:
    """Takes generated text in pieces and returns the parts of it that belong to the reply.

    An opening tag counts at the start of the reply only; a closing tag also if none opened it. Tags
    in code are text, and so are all tags after an opening tag in the middle of a reply.
    """

    def __init__(self) -> None:
        self._phase = _Phase.START
        self._held = ""
        # Closing tags that can still end reasoning. One, because the template may have opened it.
        self._unclosed = 1
        self._line = ""
        self._is_fenced = False

    def feed(self, text: str) -> Part:
        """Take the next generated text."""
        self._held += text
        reply, has_reasoning = "", self._phase is _Phase.REASONING
        while self._held:
            before = self._phase
            if before is _Phase.START:
                self._take_start()
            elif before is _Phase.REASONING:
                self._take_reasoning()
            else:
                reply += self._take_reply()
            if self._phase is before:
                break
            if self._phase is not _Phase.REPLY:
                reply, has_reasoning = "", True
        return Part(reply, has_reasoning)

    def end(self) -> str:
        """Return the text held back, after the last `feed`. Unclosed reasoning is dropped."""
        held, self._held = self._held, ""
        return "" if self._phase is _Phase.REASONING else held

    def _take_start(self) -> None:
        start = self._held.lstrip()
        if start.startswith(OPENING):
            self._held = start.removeprefix(OPENING)
            self._phase, self._unclosed = _Phase.REASONING, 1
        elif not OPENING.startswith(start):
            self._phase, self._line, self._is_fenced = _Phase.REPLY, "", False

    def _take_reasoning(self) -> None:
        for tag in _TAG.finditer(self._held):
            self._unclosed += 1 if tag[0] == OPENING else -1
            if tag[0] == CLOSING:
                self._held, self._phase = self._held[tag.end() :], _Phase.START
                return
        self._held = self._held[len(self._held) - _partial_tag_length(self._held) :]

    def _take_reply(self) -> str:
        """Return the text up to a closing tag that ends reasoning, or all that is certain."""
        start = 0
        for tag in _TAG.finditer(self._held):
            if not self._unclosed:
                break
            self._read_line(self._held[start : tag.start()])
            start = tag.start()
            if self._is_in_code():
                continue
            if tag[0] == CLOSING:
                self._unclosed -= 1
                self._held, self._phase = self._held[tag.end() :], _Phase.START
                return ""
            self._unclosed = 0
        end = len(self._held) - (_partial_tag_length(self._held) if self._unclosed else 0)
        self._read_line(self._held[start:end])
        text, self._held = self._held[:end], self._held[end:]
        return text

    def _read_line(self, text: str) -> None:
        """Follow the code blocks of the reply, and the line that it is in."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._is_fenced ^= (self._line + line).lstrip().startswith(_FENCES)
            self._line = ""
        self._line += rest

    def _is_in_code(self) -> bool:
        return self._is_fenced or self._line.count("`") % 2 == 1


def _partial_tag_length(text: str) -> int:
    """Return the length of the end of `text` that may become a tag; a complete tag is none."""
    start = text.rfind("<")
    end = text[start:]
    may_become = any(tag.startswith(end) and tag != end for tag in (OPENING, CLOSING))
    return len(end) if start >= 0 and may_become else 0
