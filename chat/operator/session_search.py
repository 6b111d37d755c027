"""Which sessions there are: by the search index, or one by one where there is none."""

from dataclasses import replace
from functools import cached_property

from chat.operator.scan import ScanResult, look
from chat.operator.search_index import Index
from chat.operator.search_query import ID, ORDERS, BusySets, Query, expression
from chat.store.client import Store
from chat.store.inspection import Summary, busy_sessions, summary


class SessionSearch:
    """Answers queries for one request: what it has read once it does not read again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = Index(store)
        self._looked: dict[Query, ScanResult] = {}
        self._counts: dict[Query, int] = {}

    @cached_property
    def indexed_share(self) -> float | None:
        """How much of all sessions can be searched, 0 to 1; None without an index."""
        return self._index.ready_share()

    @cached_property
    def busy(self) -> BusySets:
        """The sessions with something to answer."""
        found = self._store.run(busy_sessions())
        return BusySets(
            waiting=frozenset(each.session for each in found if not each.writing),
            writing=frozenset(each.session for each in found if each.writing),
        )

    def notice(self) -> str | None:
        """Return what an operator must know about a list, or None where it is whole."""
        share = self.indexed_share
        if share is None:
            cut = [looked for looked in self._looked.values() if not looked.whole]
            return (
                "This Redis server has no search module, so sessions are looked at one by one."
                + (f" These are the matches among {cut[0].looked_at:,} of them." if cut else "")
            )
        if share < 1:
            return f"The search index is being built: {share:.0%} of the sessions are in it so far."
        return None

    def count(self, query: Query) -> int:
        """Return how many sessions match; raises StoreUnavailable."""
        if self.indexed_share is None:
            return len(self._look(query).found)
        unordered = replace(query, order=ORDERS[0])
        if unordered not in self._counts:
            text = expression(query, self._busy_for(query))
            self._counts[unordered] = self._index.count(text)
        return self._counts[unordered]

    def page(self, query: Query, start: int, stop: int) -> list[Summary]:
        """Return some of the sessions that match, in order; raises StoreUnavailable."""
        if self.indexed_share is None:
            return list(self._look(query).found[start:stop])
        text = expression(query, self._busy_for(query))
        return self.summaries(self._index.page(text, query, start, stop - start))

    def summaries(self, ids: tuple[str, ...]) -> list[Summary]:
        """Read sessions by their ids, leaving out those that are gone."""
        commands = [summary(each) for each in ids if ID.fullmatch(each)]
        results = self._store.run_all(commands)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return [result for result in results if isinstance(result, Summary)]

    def _busy_for(self, query: Query) -> BusySets:
        return self.busy if query.state else BusySets(frozenset(), frozenset())

    def _look(self, query: Query) -> ScanResult:
        if query not in self._looked:
            self._looked[query] = look(self._store, query)
        return self._looked[query]
