"""Extract the reply from generated text. No I/O.

A model that continues a conversation as plain text does not stop at the end of its turn but
continues with the human's. Some servers send the prompt first, even if `return_full_text` is false.
"""

from collections.abc import Sequence
from typing import Final

from inference.reasoning import ReasoningFilter

# A reply and the message it answers must fit into one frame, whatever the model sends.
MAX_BYTES: Final = 48 * 1024
_CONTROLS: Final = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n\r"}


class ReplyText:
    """Takes generated text in pieces and returns the text of the reply as early as possible.

    The reply ends where one of `stops` starts, and is stripped of white space. Returned text can
    always be encoded as UTF-8 and contains no control characters except tabs and line ends. It is
    cut after MAX_BYTES in UTF-8, with the reasoning; then `is_cut` is true. `took_reasoning` is
    true if the last call found reasoning: then text that earlier calls returned is no part of it.
    If the text continues a `beginning`, white space between them is kept.
    """

    def __init__(
        self, prompt: str = "", stops: Sequence[str] = ("Human:",), beginning: str = ""
    ) -> None:
        self._echo = prompt
        self._held_echo = ""
        self._reasoning = ReasoningFilter()
        self._stops = stops
        self._bytes_left = MAX_BYTES - len(beginning.encode(errors="replace"))
        self.is_stopped = self.is_cut = self.took_reasoning = False
        self._start()
        if beginning:
            self._held, self._has_text = "", True

    def feed(self, text: str) -> str:
        """Take the next generated text; return the text that now certainly belongs to the reply."""
        self.took_reasoning = False
        if self.is_stopped or self.is_cut:
            return ""
        self._take(self._without_echo(text))
        return self._release(self._certain_length())

    def skip(self, reasoning: str) -> None:
        """Take reasoning that the server sends apart; it counts towards the limit."""
        self._spend(len(reasoning.encode(errors="replace")))

    def end(self) -> str:
        """Return the text held back; call it after the last `feed`."""
        self.took_reasoning = False
        if not (self.is_stopped or self.is_cut):
            self._take(self._held_echo)
            self._held += self._reasoning.end()
        rest = self._release(len(self._held))
        return rest.rstrip()

    def _start(self) -> None:
        # A stop sequence with a leading line end also matches at the start of the reply, where the
        # line end is leading white space, so it is not returned.
        self._held = "\n"
        self._has_text = False

    def _without_echo(self, text: str) -> str:
        if not self._echo:
            return text
        self._held_echo += text
        if len(self._held_echo) < len(self._echo) and self._echo.startswith(self._held_echo):
            return ""
        rest = self._held_echo.removeprefix(self._echo)
        self._echo = self._held_echo = ""
        return rest

    def _take(self, text: str) -> None:
        part = self._reasoning.feed(text)
        self.took_reasoning = part.has_reasoning
        if part.has_reasoning:
            self._start()
            self._spend(
                len(text.encode(errors="replace")) - len(part.text.encode(errors="replace"))
            )
        self._held += part.text

    def _spend(self, count: int) -> None:
        self._bytes_left -= count
        self.is_cut = self.is_cut or self._bytes_left < 0

    def _certain_length(self) -> int:
        """Return the length before a possible stop sequence, trailing space or half a pair."""
        open_at = (_start_of_open_stop(self._held, stop) for stop in self._stops)
        held = self._held[: min(open_at, default=len(self._held))].rstrip()
        return len(held) - 1 if held and _is_high_surrogate(held[-1]) else len(held)

    def _release(self, length: int) -> str:
        found = [at for stop in self._stops if (at := self._find(stop)) >= 0]
        if found:
            self.is_stopped = True
            released, self._held = self._held[: min(found)].rstrip(), ""
        else:
            released, self._held = self._held[:length], self._held[length:]
        if not self._has_text:
            released = released.lstrip()
            self._has_text = bool(released)
        return self._cut(_encodable(released))

    def _find(self, stop: str) -> int:
        """Return where `stop` starts, or -1. White space before the first text is not a stop."""
        is_leading = stop.isspace() and not self._has_text
        start = len(self._held) - len(self._held.lstrip()) if is_leading else 0
        return self._held.find(stop, start)

    def _cut(self, text: str) -> str:
        encoded = text.encode()
        if len(encoded) > self._bytes_left:
            self.is_cut, self._held = True, ""
            encoded = encoded[: max(self._bytes_left, 0)]
            text = encoded.decode(errors="ignore")
        self._bytes_left -= len(encoded)
        return text


def _start_of_open_stop(text: str, stop: str) -> int:
    """Return where a stop sequence may have begun at the end of `text`, or the text's length."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return len(text) - length
    return len(text)


def _is_high_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udbff"


def _encodable(text: str) -> str:
    """Join surrogate pairs, replace lone surrogates, remove control characters."""
    text = text.translate(_CONTROLS)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
