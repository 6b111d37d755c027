"""What of a model's generated text is the reply. Pure.

A model that continues a conversation as plain text does not know where its turn ends: it goes on
with the human's. And some servers repeat the prompt first although they were asked not to.
"""

from typing import Final

_CONTROLS: Final = {code: None for code in (*range(32), 127) if chr(code) not in "\t\n\r"}


class ReplyText:
    """Generated text in, text of the reply out, piece by piece, as early as it is certain.

    The reply ends where `stop` begins; white space around it is not part of it. What is given
    out can always be encoded as UTF-8 and holds no control characters but tab and line ends.
    """

    def __init__(self, prompt: str = "", stop: str = "Human:") -> None:
        self._echo = prompt
        self._stop = stop
        # A turn at the very start counts as one at a line's start; the line end itself is
        # leading white space and never shown.
        self._held = "" if prompt else "\n"
        self._has_begun = False
        self.is_cut = False

    def feed(self, text: str) -> str:
        """Take the next generated text and return what is now certain to belong to the reply."""
        if self.is_cut:
            return ""
        self._held += text
        if self._may_be_echo():
            return ""
        return self._release(self._certain_length())

    def end(self) -> str:
        """Return what was held back, now that nothing follows."""
        self._echo = ""
        rest = self._release(len(self._held))
        return rest.rstrip()

    def _may_be_echo(self) -> bool:
        if not self._echo:
            return False
        if len(self._held) < len(self._echo) and self._echo.startswith(self._held):
            return True
        self._held = "\n" + self._held.removeprefix(self._echo)
        self._echo = ""
        return False

    def _certain_length(self) -> int:
        """The length without an end that may be the start of `stop`, of an end, or of a pair."""
        held = self._held
        for length in range(min(len(self._stop) - 1, len(held)), 0, -1):
            if held.endswith(self._stop[:length]):
                held = held[:-length]
                break
        held = held.rstrip()
        return len(held) - 1 if held and _is_high_surrogate(held[-1]) else len(held)

    def _release(self, length: int) -> str:
        stop_at = self._held.find(self._stop)
        if stop_at >= 0:
            self.is_cut = True
            ready, self._held = self._held[:stop_at].rstrip(), ""
        else:
            ready, self._held = self._held[:length], self._held[length:]
        if not self._has_begun:
            ready = ready.lstrip()
            self._has_begun = bool(ready)
        return _encodable(ready)


def _is_high_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udbff"


def _encodable(text: str) -> str:
    """Join surrogate pairs, replace lone halves, drop control characters."""
    text = text.translate(_CONTROLS)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
