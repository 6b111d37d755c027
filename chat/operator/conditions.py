"""Conditions on sessions, each as a clause for the search module and as a predicate.

A server with the search module runs `Query.clause()`. Without the module, `matches` is called with
the same fields of each session.

Nothing typed by a person reaches the query language as it is. Of a search only words remain
(letters, digits, underscores), which have no meaning there; tags are escaped.
Source: https://redis.io/docs/latest/develop/ai/search-and-query/query/ (dialect 2).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from chat.errors import ErrorCode
from chat.store.operation.inspection import BusySession, State

# Every write of a document indexes it again, so no path may lead through all messages: a message
# would cost more, the longer its session is.
SEARCHED_MESSAGES = 100
_LAST_MESSAGES = f"$.messages[-{SEARCHED_MESSAGES}:]"
# A field's path in the document, and its type in the index. "$.messages[-1]" is the last message;
# a condition on several holds if it holds for any of them. Times are in milliseconds since 1970.
# The scripts keep lists of all failures and ratings; documents from before they did have none.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("$.id", "TAG"),
    "name": ("$.name", "TEXT", "NOSTEM", "SORTABLE"),
    "started": ("$.session_start", "NUMERIC", "SORTABLE"),
    "last": ("$.messages[-1].timestamp", "NUMERIC", "SORTABLE"),
    "length": ("$.messages[-1].seq", "NUMERIC", "SORTABLE"),
    "last_failure": ("$.messages[-1].error.code", "TAG"),
    "failure": ("$.failures[*]", "TAG"),
    "recent_failure": (f"{_LAST_MESSAGES}.error.code", "TAG"),
    "message_time": (f"{_LAST_MESSAGES}.timestamp", "NUMERIC"),
    "reply_ms": (f"{_LAST_MESSAGES}.timings.total_ms", "NUMERIC"),
    "rating": ("$.ratings[*]", "TAG"),
    "recent_rating": (f"{_LAST_MESSAGES}.rating", "TAG"),
    "msg": (f"{_LAST_MESSAGES}.msg", "TEXT", "NOSTEM"),
}
FAILURE = "failure|recent_failure"
RATING = "rating|recent_rating"
ORDERS = ("started", "last", "length", "name")
ID = re.compile(r"[0-9a-f]{32}")
ID_PREFIX = re.compile(r"[0-9a-f]{4,32}")
MIN_PREFIX_CHARS = 2
MAX_WORDS = 12
EVERYTHING = "*"
NOTHING = "@id:{none}"
STATE_LABELS = {
    State.IDLE: "idle",
    State.WAITING: "waiting",
    State.IN_PROGRESS: "in progress",
    State.FAILED: "failed",
}
ERROR_CODES = frozenset(code.value for code in ErrorCode)

FieldValues = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class OneOf:
    """A value of a tag field is one of these; with `negated`, none of them is.

    `field` is a tag field, or several joined by "|".
    """

    field: str
    values: frozenset[str]
    negated: bool = False

    def clause(self) -> str:
        if not self.values:
            return "" if self.negated else NOTHING
        tags = "|".join(re.sub(r"\W", r"\\\g<0>", value) for value in sorted(self.values))
        fields = self.field.split("|")
        clause = " | ".join(f"@{name}:{{{tags}}}" for name in fields)
        return f"{'-' if self.negated else ''}{f'({clause})' if len(fields) > 1 else clause}"

    def matches(self, session: FieldValues) -> bool:
        values = (value for name in self.field.split("|") for value in session[name])
        return self.values.isdisjoint(values) is self.negated


@dataclass(frozen=True)
class Between:
    """A value of a numeric field is in an interval that includes both ends.

    With `negated`, none is.
    """

    field: str
    start: float = -inf
    end: float = inf
    negated: bool = False

    def clause(self) -> str:
        sign = "-" if self.negated else ""
        return f"{sign}@{self.field}:[{self.start:.0f} {self.end:.0f}]"

    def matches(self, session: FieldValues) -> bool:
        is_in = any(self.start <= value <= self.end for value in session[self.field])
        return is_in is not self.negated


@dataclass(frozen=True)
class Words:
    """Each word of a text begins a word of the field, or the only one begins the session's id.

    `field` is a text field, or several joined by "|".
    """

    field: str
    text: str

    def clause(self) -> str:
        words = self._words()
        if not words:
            return NOTHING
        terms = (word + "*" if len(word) >= MIN_PREFIX_CHARS else word for word in words)
        by_words = f"(@{self.field}:({' '.join(terms)}))"
        return f"({by_words} | (@id:{{{words[0]}*}}))" if _is_id_prefix(words) else by_words

    def matches(self, session: FieldValues) -> bool:
        words = self._words()
        if _is_id_prefix(words) and session["id"][0].startswith(words[0]):
            return True
        texts = (text for name in self.field.split("|") for text in session[name])
        found = {word for text in texts for word in _words_of(text)}
        return bool(words) and all(
            word in found
            or (len(word) >= MIN_PREFIX_CHARS and any(each.startswith(word) for each in found))
            for word in words
        )

    def _words(self) -> list[str]:
        return _words_of(self.text)[:MAX_WORDS]


Condition = OneOf | Between | Words


@dataclass(frozen=True)
class Query:
    """The sessions that meet all conditions, in the order of one field."""

    conditions: tuple[Condition, ...] = ()
    order: str = "started"
    descending: bool = True

    def narrow(self, *conditions: Condition) -> "Query":
        """Return a query with more conditions."""
        return replace(self, conditions=self.conditions + conditions)

    def clause(self) -> str:
        """Return all conditions as the search module takes them."""
        clauses = (condition.clause() for condition in self.conditions)
        return " ".join(filter(None, clauses)) or EVERYTHING

    def matches(self, session: FieldValues) -> bool:
        """Return whether a session with these `fields` meets all conditions."""
        return all(condition.matches(session) for condition in self.conditions)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that `matches` and the order need."""
        named = (condition.field for condition in self.conditions)
        return frozenset({"id", self.order}.union(*(each.split("|") for each in named)))

    @property
    def ids(self) -> frozenset[str] | None:
        """The only sessions that can match, if a condition names them."""
        named = (
            condition.values
            for condition in self.conditions
            if isinstance(condition, OneOf) and condition.field == "id" and not condition.negated
        )
        return next(named, None)


def one_of_ids(ids: Iterable[str]) -> OneOf:
    """Return the condition that a session is one of these; what is not an id is left out."""
    return OneOf("id", frozenset(each for each in ids if ID.fullmatch(each)))


def in_state(state: State, busy: Sequence[BusySession]) -> tuple[Condition, ...]:
    """Return the conditions for a state; `busy` are all sessions with unanswered messages."""
    if state in (State.WAITING, State.IN_PROGRESS):
        is_in_progress = state is State.IN_PROGRESS
        return (one_of_ids(each.session for each in busy if each.in_progress is is_in_progress),)
    return (
        OneOf("last_failure", ERROR_CODES, negated=state is State.IDLE),
        OneOf("id", frozenset(each.session for each in busy), negated=True),
    )


def _words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _is_id_prefix(words: Sequence[str]) -> bool:
    return len(words) == 1 and ID_PREFIX.fullmatch(words[0]) is not None
