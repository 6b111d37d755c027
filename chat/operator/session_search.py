"""Search and list sessions: by the search index, or one by one on a server without it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from chat.operator.conditions import FIELDS, ID, ORDERS, FieldValues, Query
from chat.operator.search_index import SearchIndex
from chat.store.client import Store
from chat.store.operation.inspection import (
    BusySession,
    Summary,
    busy_sessions,
    document_fields,
    document_ids,
    run_all,
    summary,
)

MAX_SCANNED = 3_000
SCAN_TIMEOUT_S = 2.0
BATCH = 200


@dataclass(frozen=True)
class ScanResult:
    """The sessions that match, in order; `is_complete` if all sessions were scanned."""

    ids: tuple[str, ...]
    scanned: int
    is_complete: bool


class SessionSearch:
    """Searches for one request; what it has loaded is not loaded again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = SearchIndex(store)
        self._scans: dict[Query, ScanResult] = {}
        self._counts: dict[Query, int] = {}

    @cached_property
    def indexed_share(self) -> float | None:
        """The share of sessions that can be searched, 0 to 1; None without an index."""
        return self._index.indexed_share()

    @cached_property
    def busy(self) -> Sequence[BusySession]:
        """The sessions with unanswered messages."""
        return self._store.run(busy_sessions())

    def notice(self) -> str | None:
        """Return why a list may be incomplete, or None."""
        share = self.indexed_share
        if share is None:
            cut = [each.scanned for each in self._scans.values() if not each.is_complete]
            scanned = f" Only {cut[0]:,} sessions were scanned." if cut else ""
            return (
                f"This Redis server has no search module: sessions are scanned one by one.{scanned}"
            )
        if share < 1:
            return f"The search index is being built: it contains {share:.0%} of the sessions."
        return None

    def count(self, query: Query) -> int:
        """Return how many sessions match; raises StoreUnavailable."""
        if self.indexed_share is None:
            return len(self._scan(query).ids)
        unordered = replace(query, order=ORDERS[0])
        if unordered not in self._counts:
            self._counts[unordered] = self._index.count(query)
        return self._counts[unordered]

    def page(self, query: Query, start: int, stop: int) -> list[Summary]:
        """Return some of the sessions that match, in order; raises StoreUnavailable."""
        if self.indexed_share is None:
            return self.summaries(self._scan(query).ids[start:stop])
        return self.summaries(self._index.page(query, start, stop - start))

    def summaries(self, ids: Sequence[str]) -> list[Summary]:
        """Load sessions by their ids, without those that no longer exist."""
        found = run_all(self._store, [summary(each) for each in ids if ID.fullmatch(each)])
        return [each for each in found if each]

    def _scan(self, query: Query) -> ScanResult:
        if query not in self._scans:
            self._scans[query] = scan(self._store, query)
        return self._scans[query]


def scan(store: Store, query: Query) -> ScanResult:
    """Match sessions one by one, at most MAX_SCANNED in SCAN_TIMEOUT_S; raises StoreUnavailable."""
    deadline = time.monotonic() + SCAN_TIMEOUT_S
    paths = {name: FIELDS[name][0] for name in query.fields}
    found: list[FieldValues] = []
    scanned, is_complete = 0, True
    ids = document_ids(store) if query.ids is None else iter(query.ids)
    while batch := list(islice(ids, BATCH)):
        if scanned >= MAX_SCANNED or time.monotonic() > deadline:
            is_complete = False
            break
        scanned += len(batch)
        sessions = run_all(store, [document_fields(each, paths) for each in batch])
        found += (session for session in sessions if session and query.matches(session))
    ids_in_order = tuple(session["id"][0] for session in _in_order(found, query))
    return ScanResult(ids_in_order, scanned, is_complete)


def rated_sessions(store: Store) -> Iterator[str]:
    """Yield every session with a rated reply, without an index; raises StoreUnavailable."""
    paths = {"id": FIELDS["id"][0], "rating": "$.messages[*].rating"}
    ids = document_ids(store)
    while batch := list(islice(ids, BATCH)):
        found = run_all(store, [document_fields(each, paths) for each in batch])
        yield from (session["id"][0] for session in found if session and session["rating"])


def _in_order(sessions: Sequence[FieldValues], query: Query) -> list[FieldValues]:
    """Sort as the index does: sessions without a value last, in both directions."""
    valued = [each for each in sessions if each[query.order]]
    valued.sort(key=lambda session: session[query.order][0], reverse=query.descending)
    return valued + [each for each in sessions if not each[query.order]]
