"""Rules that score a reply of the embedded model. No I/O but the file of questions.

An item of `questions.json` is a conversation that ends with a message to answer, and what a good
reply contains. A rule is None if it does not concern the item.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["question", "follow_up", "instruction"]

QUESTIONS: Final = Path(__file__).with_name("questions.json")
ANY_LANGUAGE: Final = "any"
# A sentence of this many words that is repeated this often shows that the model does not end.
REPEATED_WORDS: Final = 4
REPETITIONS: Final = 3
# Frequent words that only one of these languages has.
FREQUENT: Final = {
    "en": "the is are of and to you it that this with for my your have has was not can",
    "fr": "le les est des et vous je une du dans qui pour pas sont avec il elle nous",
    "es": "el los las es y una que en tiene hay por su con para del soy",
    "de": "der das ist und ein eine nicht sie ich mit von zu auf dem den sind",
    "it": "il gli sono e una che di per non della nel questo è",
    "pt": "os uma é não em um você com são da dos ao",
}
WORDS: Final = {language: frozenset(words.split()) for language, words in FREQUENT.items()}


@dataclass(frozen=True)
class Item:
    """One conversation. `turns` alternate between the visitor and the model, the last is new.

    Patterns are regular expressions without regard to case. All of `expect` and `facts` must be in
    the reply, none of `absent`. A pattern with a number must match that many different texts.
    """

    id: str
    kind: Kind
    held_out: bool
    turns: Sequence[str]
    expect: Sequence[str | dict[str, Any]] = ()
    facts: Sequence[str] = ()
    absent: Sequence[str] = ()
    max_words: int | None = None
    language: str = "en"


@dataclass(frozen=True)
class Score:
    """Which rules a reply follows."""

    on_topic: bool
    right_language: bool
    stops: bool
    uses_facts: bool | None

    @property
    def is_good(self) -> bool:
        """Whether it follows all rules."""
        return all((self.on_topic, self.right_language, self.stops, self.uses_facts is not False))


def load_items() -> list[Item]:
    """Return all items, those held out included."""
    return [Item(**item) for item in json.loads(QUESTIONS.read_text())]


def score(item: Item, reply: str, finish_reason: str | None) -> Score:
    """Score one reply."""
    return Score(
        on_topic=_is_on_topic(item, reply),
        right_language=item.language in (ANY_LANGUAGE, language_of(reply, item.language)),
        stops=finish_reason == "stop" and not is_repetitive(reply),
        uses_facts=all(_contains(fact, reply) for fact in item.facts) if item.facts else None,
    )


def language_of(text: str, default: str) -> str:
    """Return the language of a text by its frequent words, `default` if it has none of them.

    Another script than the Latin one is the language "other".
    """
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter < "\u0250" for letter in letters) < len(letters) / 2:
        return "other"
    words = _words(text)
    counts = {name: sum(word in known for word in words) for name, known in WORDS.items()}
    most = max(counts.values())
    if not most or counts.get(default) == most:
        return default
    return max(counts, key=lambda name: counts[name])


def is_repetitive(text: str) -> bool:
    """Return whether a sentence or line occurs again and again."""
    sentences = (" ".join(_words(part)) for part in re.split(r"[.!?\n]+", text))
    counts = Counter(part for part in sentences if part.count(" ") >= REPEATED_WORDS - 1)
    return max(counts.values(), default=0) >= REPETITIONS


def _is_on_topic(item: Item, reply: str) -> bool:
    if item.max_words is not None and len(_words(reply)) > item.max_words:
        return False
    if any(_contains(pattern, reply) for pattern in item.absent):
        return False
    return bool(_words(reply)) and all(_contains(pattern, reply) for pattern in item.expect)


def _contains(expected: str | dict[str, Any], reply: str) -> bool:
    if isinstance(expected, str):
        return re.search(expected, reply, re.IGNORECASE) is not None
    found = re.finditer(expected["pattern"], reply, re.IGNORECASE)
    return len({match[1].lower() for match in found}) >= int(expected["distinct"])


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", text.lower())
