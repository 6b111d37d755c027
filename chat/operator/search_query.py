"""What an operator asks the list for, as a value; and as a query of the search module.

Nothing a person typed is put into a query as it is: of a search only words remain (letters, digits,
underscores), which have no meaning to the query language.
Source: https://redis.io/docs/latest/develop/ai/search-and-query/query/ (dialect 2).
"""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass

from chat.errors import ErrorCode
from chat.store.inspection import State

ID = re.compile(r"[0-9a-f]{32}")
ID_PART = re.compile(r"[0-9a-f]{4,32}")
PREFIX_CHARS = 2
WORDS_AT_MOST = 12
NOTHING = "@id:{none}"
ORDERS = ("started", "last", "length", "name")


@dataclass(frozen=True)
class Span:
    """An interval of numbers, both ends in it; None is open."""

    start: float | None = None
    end: float | None = None

    def holds(self, number: float) -> bool:
        """Return whether a number is in it."""
        return (self.start is None or number >= self.start) and (
            self.end is None or number <= self.end
        )

    def __str__(self) -> str:
        """Return it as the search module writes it."""
        start = "-inf" if self.start is None else f"{self.start:.0f}"
        end = "+inf" if self.end is None else f"{self.end:.0f}"
        return f"[{start} {end}]"


@dataclass(frozen=True)
class Query:
    """Which sessions, in which order. Times are in milliseconds since 1970.

    `in_texts` is whether the person asking may search in transcripts. `took` is how many
    milliseconds any one reply took, `said` when any one message was stored.
    """

    text: str = ""
    in_texts: bool = False
    ids: frozenset[str] | None = None
    state: State | None = None
    has_failures: bool | None = None
    failure: ErrorCode | None = None
    started: Span | None = None
    last: Span | None = None
    said: Span | None = None
    took: Span | None = None
    order: str = "started"
    descending: bool = True

    def words(self) -> list[str]:
        """Return the words searched for, in small letters."""
        return re.findall(r"\w+", self.text.lower())[:WORDS_AT_MOST]

    def is_blank(self) -> bool:
        """Return whether something was typed in which there is no word."""
        return bool(self.text.strip()) and not self.words()


@dataclass(frozen=True)
class BusySets:
    """Ids of the sessions with something to answer, by what they are doing."""

    waiting: Set[str]
    writing: Set[str]


def expression(query: Query, busy: BusySets) -> str:
    """Return the query as the search module reads it."""
    if query.is_blank():
        return NOTHING
    clauses = [
        _text_clause(query),
        _ids_clause(query.ids),
        _state_clause(query.state, busy),
        _failure_clause(query),
        *(
            f"@{name}:{span}"
            for name in ("started", "last", "said", "took")
            if (span := getattr(query, name))
        ),
    ]
    return " ".join(clause for clause in clauses if clause) or "*"


def _text_clause(query: Query) -> str:
    words = query.words()
    if not words:
        return ""
    fields = "@name|msg" if query.in_texts else "@name"
    terms = " ".join(word + "*" if len(word) >= PREFIX_CHARS else word for word in words)
    by_words = f"{fields}:({terms})"
    if len(words) == 1 and ID_PART.fullmatch(words[0]):
        return f"(({by_words}) | (@id:{{{words[0]}*}}))"
    return f"({by_words})"


def _ids_clause(ids: Iterable[str] | None) -> str:
    if ids is None:
        return ""
    known = sorted(each for each in ids if ID.fullmatch(each))
    return f"@id:{{{'|'.join(known)}}}" if known else NOTHING


def _state_clause(state: State | None, busy: BusySets) -> str:
    match state:
        case None:
            return ""
        case State.WAITING:
            return _ids_clause(busy.waiting)
        case State.WRITING:
            return _ids_clause(busy.writing)
    ended_badly = f"@last_failure:{{{_codes(ErrorCode)}}}"
    clauses = [ended_badly if state is State.FAILED else f"-{ended_badly}"]
    if everyone := busy.waiting | busy.writing:
        clauses.append(f"-{_ids_clause(everyone)}")
    return " ".join(clauses)


def _failure_clause(query: Query) -> str:
    if query.failure:
        return f"@failure:{{{_codes([query.failure])}}}"
    if query.has_failures is None:
        return ""
    return f"{'' if query.has_failures else '-'}@failure:{{{_codes(ErrorCode)}}}"


def _codes(codes: Iterable[ErrorCode]) -> str:
    return "|".join(re.sub(r"\W", r"\\\g<0>", code) for code in codes)
