"""The search index over the sessions' documents, on servers with the search module.

The server updates it with every write of a document. It is created when an operator first opens
the list, so a site without operators has no index and no cost.
Source: https://redis.io/docs/latest/commands/ft.create/ (RediSearch 2.10; part of Redis 8).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

from redis.exceptions import ResponseError

from chat.operator.conditions import EVERYTHING, FIELDS, Between, Query
from chat.store.client import Store, translate_redis_errors
from chat.store.keys import DOCUMENT_PREFIX, SEARCH_INDEX, session_of

logger = logging.getLogger(__name__)

SEARCH_TIMEOUT_MS = 1_500
BUILD_WAIT_S = 0.4
# The module indexes this database only. A search in another one returns this one's documents.
INDEXED_DATABASE = 0
WINDOWS_MS = (10 * 60_000, 2 * 3_600_000, 24 * 3_600_000)


class SearchIndex:
    """Searches sessions by the server's index."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._database = store.redis.connection_pool.connection_kwargs.get("db") or 0

    def indexed_share(self) -> float | None:
        """Return the share of documents in the index, 0 to 1; None without a search module.

        Creates the index if it is missing. Raises StoreUnavailable.
        """
        if self._database != INDEXED_DATABASE:
            return None
        with translate_redis_errors("index"):
            try:
                return self._share()
            except ResponseError:
                return self._create()

    def count(self, query: Query) -> int:
        """Return how many sessions match; raises StoreUnavailable."""
        clause = query.clause()
        with translate_redis_errors("search"):
            if clause == EVERYTHING:
                return int(self._info()["num_docs"])
            return int(self._search(clause, "LIMIT", 0, 0)[0])

    def page(self, query: Query, start: int, count: int) -> tuple[str, ...]:
        """Return the ids of one page; raises StoreUnavailable, also for an invalid query.

        The server sorts all matches to find a page. If the newest come first, the last minutes or
        hours usually hold enough matches, and searching only those is many times faster.
        """
        sorting = ("SORTBY", query.order, "DESC" if query.descending else "ASC")
        with translate_redis_errors("search"):
            for narrowed in _windows(query, time.time() * 1000):
                reply = self._search(narrowed.clause(), *sorting, "LIMIT", start, count)
                if int(reply[0]) >= start + count:
                    break
        return tuple(session_of(key) for key in reply[1:])

    def _share(self) -> float:
        return float(self._info()["percent_indexed"])

    def _info(self) -> dict[str, Any]:
        reply = self._execute("FT.INFO", SEARCH_INDEX)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    def _search(self, clause: str, *options: Any) -> Sequence[Any]:
        # WITHOUTCOUNT would be faster still, but some queries with it crash RediSearch 2.10.5.
        return self._execute(
            *("FT.SEARCH", SEARCH_INDEX, clause, "NOCONTENT", *options),
            *("TIMEOUT", SEARCH_TIMEOUT_MS, "DIALECT", 2),
        )

    def _create(self) -> float | None:
        schema = [
            word for name, (path, *kind) in FIELDS.items() for word in (path, "AS", name, *kind)
        ]
        try:
            self._execute(
                *("FT.CREATE", SEARCH_INDEX, "ON", "JSON", "PREFIX", 1, DOCUMENT_PREFIX),
                *("STOPWORDS", 0, "SCHEMA", *schema),
            )
        except ResponseError as error:
            if "already exists" in str(error).lower():  # another process has just created it
                return self._share()
            logger.debug("This server keeps no search index: %s", error)
            return None
        deadline = time.monotonic() + BUILD_WAIT_S
        while (share := self._share()) < 1 and time.monotonic() < deadline:
            time.sleep(BUILD_WAIT_S / 20)
        return share

    def _execute(self, *words: Any) -> Sequence[Any]:
        return cast(Sequence[Any], self._redis.execute_command(*words))


def _windows(query: Query, now_ms: float) -> Iterator[Query]:
    """Yield the query within growing spans of time, at last without a span."""
    if query.descending and query.order in ("started", "last"):
        for length_ms in WINDOWS_MS:
            yield query.narrow(Between(query.order, start=now_ms - length_ms))
    yield query
