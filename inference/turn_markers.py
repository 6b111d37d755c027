"""Escape what a model would read as the start or end of a turn in a visitor's text. No I/O.

Two kinds of markers can forge a turn: the labels of a text prompt at the start of a line, and the
special tokens of a tokenizer, which a server may parse anywhere in a text. Only prompts are
escaped; the stored text stays as it was written.
"""

import re
import unicodedata
from collections.abc import Sequence, Set
from functools import lru_cache
from typing import Final

# What the models of other people were trained on is escaped too, whatever the names are.
LABELS: Final = frozenset({"human", "bot"})
MAX_LABEL_CHARS: Final = 32

# Characters that look like a letter of a label, without those that NFKD maps. From the confusables
# of UTS #39: https://www.unicode.org/Public/security/latest/confusables.txt. Lower-case Cyrillic
# letters that look like small capitals are left out, because labels would then match Russian words.
_LOOK_ALIKES: Final = {
    look_alike: letter
    for letter, look_alikes in {
        "a": "\u0430\u0410\u03b1\u0391\u0251\u237a\u1d00\u13aa\u15c5\ua4ee\u2c80",
        "b": "\u042c\u0412\u0392\u0184\u13cf\u13f4\u1472\u15af\u15b7\ua4d0\u2c82\u0299",
        "h": "\u041d\u0397\u04ba\u04bb\u0570\u13c2\u13bb\u157c\ua4e7\u2c8e\u029c\u0127\u0126",
        "m": "\u041c\u039c\u03fa\u13b7\u15f0\u16d6\ua4df\u2c98\u1d0d",
        "n": "\u0578\u057c\u039d\ua4e0\u2c9a\u0274",
        "o": "\u043e\u041e\u03bf\u039f\u03c3\u0585\u0555\u1d0f\u1d11\u2c9e\u2c9f\ua4f3\u2d54"
        "\u0b20\u0be6\u09e6\u0665\u101d\u10ff\u3007",
        "t": "\u0422\u03a4\u1d1b\u13a2\ua4d4\u2ca6\u22a4\u27d9\u0167\u0166",
        "u": "\u03c5\u028b\u057d\u054d\u1d1c\uab4e\uab52\u222a\u22c3\u1200\u144c\ua4f4",
        "c": "\u0441\u0421\u03f2\u03f9\u1d04\ua4da\u13df\u2ca4\u216d\u217d",
        "d": "\u0501\ua4d3\u13e7\u13a0\u15de\u1d05\u217e\u216e",
        "e": "\u0435\u0415\u0395\u13ac\ua4f0\u212e\u04bd\u1d07\u2d39",
        "f": "\u03dc\u15b4\ua4dd\u0584\u1e9d",
        "g": "\u0261\u050c\u13c0\u13f3\ua4d6\u0581\u1d83",
        "i": "\u0456\u0406\u04c0\u0399\u03b9\u0131\u026a\u0269\u13a5\ua4f2\u2c92\u2160\u2170",
        "j": "\u0458\u0408\u037f\u03f3\u13ab\u148d\ua4d9\u1d0a",
        "k": "\u041a\u039a\u03ba\u13e6\u16d5\ua4d7\u2c94\u1d0b",
        "l": "\u13de\u14aa\ua4e1\u2cd0\u029f\u217c\u216c\u01c0\u05c0",
        "p": "\u0440\u0420\u03a1\u03c1\u13e2\u146d\ua4d1\u2ca2\u1d18",
        "q": "\u051b\u0566\u0563\u2d55",
        "r": "\u13a1\u13d2\u1587\ua4e3\u0433\u1d26\u2c85\u0280\uab47",
        "s": "\u0455\u0405\u13da\u13d5\ua4e2\u054f\ua731",
        "v": "\u03bd\u0475\u0474\u2164\u2174\u13d9\u142f\ua4e6\u2d38\u1d20\u05d8",
        "w": "\u051d\u051c\u0461\u13b3\u13d4\ua4ea\u1d21\u0561\u026f",
        "x": "\u0445\u0425\u03a7\u03c7\u166d\u157d\ua4eb\u2cac\u2169\u2179\u00d7",
        "y": "\u0443\u0423\u04ae\u04af\u03a5\u03b3\u03d2\u13a9\u13bd\ua4ec\u2ca8\u028f\u1eff",
        "z": "\u0396\u13c3\ua4dc\u1d22",
    }.items()
    for look_alike in look_alikes
}
# Letters in boxes and circles, in alphabetical order: regional indicators, negative circled,
# negative squared.
_ALPHABETS: Final = (0x1F1E6, 0x1F150, 0x1F170)
_COLONS: Final = frozenset(
    ":\uff1a\ufe55\ufe13\ufe30\ua789\ua4fd\u2236\u02d0\u02f8\u0589\u05c3"
    "\u0703\u0704\u0903\u0a83\u1361\u16ec\u1803\u1809\u205a\u2237\u2a74"
)
# Tags that decorate text, with any attributes.
_HTML_TAG: Final = re.compile(
    r"</?(?:[abipqsu]|em|strong|code|span|font|div|h[1-6]|[uo]l|li|mark|small|big|kbd|sub|sup"
    r"|del|ins|br|pre|blockquote|t[dhr])(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)

# The special tokens of known tokenizers, after the bracket that each starts with.
_SPECIAL_TOKEN: Final = re.compile(
    r"""
    (?:
        [<\uff1c\ufe64](?=[|\uff5c])                # ChatML, Llama 3, Phi, GPT-2, DeepSeek
      | <
        (?= /?(?:s|pad|unk|bos|eos|cls|sep|mask|sop|eop|eoh|eoa|eom|BOS_TOKEN|EOS_TOKEN|PAD)>
          | (?:start|end)_of_(?:turn|image)>         # Gemma
          | (?:turn|channel|tool)[|\uff5c]>
          | (?:extra_id_|reserved_|unused|SPECIAL_)\d+>
          | (?:fim|file|repo|jupyter|issue|commit)[_-][a-z_-]+>
          | seed:[a-z_]+>
        )
      | <<(?=/?SYS>>)                                # Llama 2
      | \[
        (?= /?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS|TOOL_CALLS|MODEL_SETTINGS)\]
          | (?:CLS|SEP|PAD|MASK|UNK|BOS|EOS|gMASK|sMASK|IMG|IMG_END|PREFIX|MIDDLE|SUFFIX)\]
          | e~\[
        )
      | \](?=~!?b[\[\]])                             # MiniMax
    )
    """,
    re.VERBOSE,
)


def escape_markers(text: str, names: Sequence[str] = ()) -> str:
    """Escape the labels at line starts and the special tokens, for a prompt that is one text.

    `names` are the names of the speakers. All line ends become `\\n`.
    """
    labels = LABELS.union(map(fold, names))
    lines = (_escape_label(line, labels) for line in text.splitlines())
    # Labels first: removing their colons could join the characters of a token.
    return escape_special_tokens("\n".join(lines))


def is_label(name: str) -> bool:
    """Return whether a name can label turns, because it is recognised when someone forges it."""
    is_plain = all(each.isalpha() or each == " " for each in name) and name == name.strip()
    return is_plain and 0 < len(name) <= MAX_LABEL_CHARS and all(map(_fold, name.replace(" ", "")))


def fold(name: str) -> str:
    """Return the plain lower-case letters that a name looks like."""
    return "".join(map(_fold, name))


def escape_special_tokens(text: str) -> str:
    """Break the special tokens of known tokenizers with a space after their bracket."""
    return _SPECIAL_TOKEN.sub(r"\g<0> ", text)


def _escape_label(line: str, labels: Set[str]) -> str:
    """Put a label at the start of a line into parentheses, and drop the colons after it.

    Everything but letters is skipped, as it may be decoration (`**Human**:`, `- Bot:`, `> Bot:`) or
    invisible.
    """
    letters, start, end, at = "", 0, 0, 0
    while at < len(line):
        character = line[at]
        if character in _COLONS and letters in labels:
            return (
                f"{line[:start]}({line[start:end]}){line[end:at].strip()}{_drop_colons(line[at:])}"
            )
        if character == "<" and (tag := _HTML_TAG.match(line, at)):
            at = tag.end()
            continue
        if folded := _fold(character):
            if folded.isdigit() and letters:
                folded = folded.replace("0", "o")
            if not letters:
                start = at
            # A number before a label may be that of a list item.
            letters += "" if folded.isdigit() and not letters else folded
            if not any(label.startswith(letters) for label in labels):
                return line
            end = at + 1
        elif character in _COLONS and letters:
            return line
        at += 1
    return line


def _drop_colons(text: str) -> str:
    """Remove the colons before the first letter or digit."""
    for at, character in enumerate(text):
        if character.isalnum():
            return _without_colons(text[:at]) + text[at:]
    return _without_colons(text)


def _without_colons(text: str) -> str:
    return "".join(character for character in text if character not in _COLONS)


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """Return the plain lower-case letters or digits that a character looks like, "" for others."""
    if letter := _LOOK_ALIKES.get(character):
        return letter
    for first in _ALPHABETS:
        if first <= ord(character) < first + 26:
            return chr(ord("a") + ord(character) - first)
    decomposed = unicodedata.normalize("NFKD", character)
    folded = "".join(_LOOK_ALIKES.get(each, each) for each in decomposed).casefold()
    return "".join(each for each in folded if unicodedata.category(each)[0] in "LN")
