"""The list without a search index: look at sessions one by one, as far as patience goes.

For servers that have JSON and no search module. Bounded by count and by time, and the page says how
far it went.
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chat.errors import SessionUnknown
from chat.operator.search_query import Query, Span
from chat.schemas import StoredMessage
from chat.store import sessions
from chat.store.client import Store, translate_redis_errors
from chat.store.inspection import Summary, summary
from chat.store.keys import DOCUMENT_PREFIX, session_of

SESSIONS_AT_MOST = 3_000
PATIENCE_S = 2.0
SCAN_COUNT = 2_000
BATCH = 200


@dataclass(frozen=True)
class ScanResult:
    """What was found among the sessions looked at; `whole` where those were all."""

    found: tuple[Summary, ...]
    whole: bool
    looked_at: int


def look(store: Store, query: Query) -> ScanResult:
    """Return the sessions that match, in order; raises StoreUnavailable."""
    give_up_at = time.monotonic() + PATIENCE_S
    found: list[Summary] = []
    looked_at = 0
    ids = _documents(store) if query.ids is None else iter(query.ids)
    while batch := list(islice(ids, BATCH)):
        if looked_at >= SESSIONS_AT_MOST or time.monotonic() > give_up_at:
            return ScanResult(_sorted(found, query), whole=False, looked_at=looked_at)
        looked_at += len(batch)
        found += _matching(store, query, batch)
    return ScanResult(_sorted(found, query), whole=True, looked_at=looked_at)


def matches(query: Query, session: Summary, messages: Sequence[StoredMessage]) -> bool:
    """Return whether a session is asked for; `messages` may be empty unless `needs_messages`."""
    last_ms = session.last.timestamp() * 1000 if session.last else None
    return (
        not query.is_blank()
        and (query.state is None or session.state is query.state)
        and query.has_failures in (None, bool(session.failures))
        and (query.failure is None or query.failure in session.failures)
        and _in(query.started, [session.started.timestamp() * 1000])
        and _in(query.last, [] if last_ms is None else [last_ms])
        and _in(query.said, [message.timestamp.timestamp() * 1000 for message in messages])
        and _in(query.took, [each.timings.total_ms for each in messages if each.timings])
        and _has_words(query, session, messages)
    )


def needs_messages(query: Query) -> bool:
    """Return whether a summary is not enough to answer the query."""
    return bool(query.said or query.took or (query.in_texts and query.text.strip()))


def _documents(store: Store) -> Iterator[str]:
    with translate_redis_errors("scan"):
        pattern = DOCUMENT_PREFIX.replace("[", r"\[") + "*}:document"
        for key in store.redis.scan_iter(pattern, count=SCAN_COUNT):
            yield session_of(key)


def _matching(store: Store, query: Query, ids: Sequence[str]) -> list[Summary]:
    summaries = [
        each for each in store.run_all([summary(each) for each in ids]) if isinstance(each, Summary)
    ]
    return [each for each in summaries if matches(query, each, _messages(store, query, each))]


def _messages(store: Store, query: Query, session: Summary) -> tuple[StoredMessage, ...]:
    if not needs_messages(query):
        return ()
    try:
        return store.run(sessions.load(session.id)).messages
    except SessionUnknown:
        return ()


def _in(span: Span | None, numbers: Iterable[float]) -> bool:
    return span is None or any(span.holds(number) for number in numbers)


def _has_words(query: Query, session: Summary, messages: Sequence[StoredMessage]) -> bool:
    words = query.words()
    if len(words) == 1 and session.id.startswith(words[0]):
        return True
    texts = [session.name, *(message.msg for message in messages if query.in_texts)]
    said = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    return all(any(each.startswith(word) for each in said) for word in words)


def _sorted(found: Iterable[Summary], query: Query) -> tuple[Summary, ...]:
    def key(session: Summary) -> tuple[bool, str | float]:
        value = {
            "started": session.started.timestamp(),
            "last": session.last.timestamp() if session.last else None,
            "length": session.messages,
            "name": session.name.lower(),
        }[query.order]
        return (value is None) is not query.descending, value or 0

    return tuple(sorted(found, key=key, reverse=query.descending))
