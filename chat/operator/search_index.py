"""The search index over the sessions' documents, where the server has one.

The server keeps it up to date with every write of a document; nothing is written for it. It is made
when an operator first opens the list, so a site without operators pays nothing.
Source: https://redis.io/docs/latest/commands/ft.create/ (RediSearch 2.10; part of Redis 8).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

from redis.exceptions import ResponseError

from chat.operator.search_query import Query, Span
from chat.store.client import Store, translate_redis_errors
from chat.store.keys import DOCUMENT_PREFIX, SEARCH_INDEX, session_of

logger = logging.getLogger(__name__)

TIMEOUT_MS = 1_500
PATIENCE_S = 0.4
# The module serves this one; asked on another, it answers with this one's documents.
ONLY_DATABASE = 0
EVERYTHING = "*"
WINDOWS_MS = (10 * 60_000, 2 * 3_600_000, 24 * 3_600_000)
# Every write of a document is indexed anew, so of a long talk only the last messages are searched.
SEARCHED_MESSAGES = 100
# Path, name, type. "$.messages[-1]" is the last message; "[*]" holds when it holds for any.
FIELDS = (
    ("$.id", "id", "TAG"),
    ("$.name", "name", "TEXT", "NOSTEM", "SORTABLE"),
    ("$.session_start", "started", "NUMERIC", "SORTABLE"),
    ("$.messages[-1].timestamp", "last", "NUMERIC", "SORTABLE"),
    ("$.messages[-1].seq", "length", "NUMERIC", "SORTABLE"),
    ("$.messages[-1].error.code", "last_failure", "TAG"),
    ("$.messages[*].error.code", "failure", "TAG"),
    ("$.messages[*].timestamp", "said", "NUMERIC"),
    ("$.messages[*].timings.total_ms", "took", "NUMERIC"),
    (f"$.messages[-{SEARCHED_MESSAGES}:].msg", "msg", "TEXT", "NOSTEM"),
)


class Index:
    """Searches sessions by the server's index."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._database = store.redis.connection_pool.connection_kwargs.get("db") or 0

    def ready_share(self) -> float | None:
        """Return how much of the documents is indexed, 0 to 1; None where there is no search.

        Makes the index where it is missing. Raises StoreUnavailable.
        """
        if self._database != ONLY_DATABASE:
            return None
        with translate_redis_errors("index"):
            try:
                return self._share()
            except ResponseError:
                return self._make()

    def count(self, query: str) -> int:
        """Return how many sessions match; raises StoreUnavailable."""
        with translate_redis_errors("search"):
            if query == EVERYTHING:
                return int(self._info()["num_docs"])
            return int(self._search(query, "LIMIT", 0, 0)[0])

    def page(self, query: str, order: Query, start: int, count: int) -> tuple[str, ...]:
        """Return the ids of one page; raises StoreUnavailable, also for a query it cannot read.

        The server sorts all matches to find a page. Where the newest are wanted first, looking at
        the latest minutes or hours alone mostly holds enough of them, and is many times quicker.
        """
        sorting = ("SORTBY", order.order, "DESC" if order.descending else "ASC")
        with translate_redis_errors("search"):
            for clause in _windows(order, time.time() * 1000):
                within = clause if query == EVERYTHING else f"{query} {clause}"
                answer = self._search(within or query, *sorting, "LIMIT", start, count)
                if int(answer[0]) >= start + count:
                    break
        return tuple(session_of(key) for key in answer[1:])

    def _share(self) -> float:
        return float(self._info()["percent_indexed"])

    def _info(self) -> dict[str, Any]:
        answer = self._command("FT.INFO", SEARCH_INDEX)
        return dict(zip(answer[::2], answer[1::2], strict=True))

    def _search(self, query: str, *words: Any) -> Sequence[Any]:
        # WITHOUTCOUNT would be quicker still, but brings RediSearch 2.10.5 down on some queries.
        return self._command(
            *("FT.SEARCH", SEARCH_INDEX, query, "NOCONTENT", *words),
            *("TIMEOUT", TIMEOUT_MS, "DIALECT", 2),
        )

    def _make(self) -> float | None:
        schema = [word for path, name, *kind in FIELDS for word in (path, "AS", name, *kind)]
        try:
            self._command(
                *("FT.CREATE", SEARCH_INDEX, "ON", "JSON", "PREFIX", 1, DOCUMENT_PREFIX),
                *("STOPWORDS", 0, "SCHEMA", *schema),
            )
        except ResponseError as error:
            if "already exists" in str(error).lower():  # made by another process just now
                return self._share()
            logger.debug("This server keeps no search index: %s", error)
            return None
        give_up_at = time.monotonic() + PATIENCE_S
        while (share := self._share()) < 1 and time.monotonic() < give_up_at:
            time.sleep(PATIENCE_S / 20)
        return share

    def _command(self, *words: Any) -> Sequence[Any]:
        answer = self._redis.execute_command(*words)
        return cast(Sequence[Any], answer)


def _windows(order: Query, now_ms: float) -> Iterator[str]:
    """Yield clauses within which to look for the first rows, the narrowest first, none at last."""
    if order.descending and order.order in ("started", "last"):
        for length_ms in WINDOWS_MS:
            yield f"@{order.order}:{Span(start=now_ms - length_ms)}"
    yield ""
