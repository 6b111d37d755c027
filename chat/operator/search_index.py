"""The search index over the sessions' documents, on servers with the search module.

On a Redis Cluster, each primary has an index of its own sessions, and all of them are asked.

The server updates it with every write of a document. It is created when an operator first opens
the list, so a site without operators has no index and no cost.
Source: https://redis.io/docs/latest/commands/ft.create/ (RediSearch 2.10; part of Redis 8).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis
from redis.exceptions import ResponseError

from chat.operator.conditions import EVERYTHING, FIELDS, Between, Query
from chat.store.client import Store, translate_redis_errors
from chat.store.keys import DOCUMENT_PREFIX, SEARCH_INDEX, session_of

logger = logging.getLogger(__name__)

SEARCH_TIMEOUT_MS = 1_500
BUILD_WAIT_S = 0.4
# The module indexes this database only. A search in another one returns this one's documents.
INDEXED_DATABASE = 0
Row = tuple[str, str | None]  # a document's key, and the value by which rows are sorted
WINDOWS_MS = (10 * 60_000, 2 * 3_600_000, 24 * 3_600_000)


class SearchIndex:
    """Searches sessions by the servers' indexes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def indexed_share(self) -> float | None:
        """Return the share of documents in the index, 0 to 1; None without a search module.

        Creates the index if it is missing. Raises StoreUnavailable.
        """
        with translate_redis_errors("index"):
            shares = [_indexed_share(*index) for index in self._indexes()]
        found = [share for share in shares if share is not None]
        return min(found) if len(found) == len(shares) else None

    def count(self, query: Query) -> int:
        """Return how many sessions match; raises StoreUnavailable."""
        clause = query.clause()
        with translate_redis_errors("search"):
            return sum(_count(*index, clause) for index in self._indexes())

    def page(self, query: Query, start: int, count: int) -> tuple[str, ...]:
        """Return the ids of one page; raises StoreUnavailable, also for an invalid query.

        The server sorts all matches to find a page. If the newest come first, the last minutes or
        hours usually hold enough matches, and searching only those is many times faster.
        """
        with translate_redis_errors("search"):
            indexes = self._indexes()
            for narrowed in _windows(query, time.time() * 1000):
                # Of each of several servers, any of the first rows may be in the page.
                part = (start, count) if len(indexes) == 1 else (0, start + count)
                found = [_sorted_rows(*index, narrowed, *part) for index in indexes]
                if sum(matches for matches, _ in found) >= start + count:
                    break
        rows = [row for _, rows in found for row in rows]
        if len(indexes) > 1:
            rows = _in_order(rows, query)[start : start + count]
        return tuple(session_of(key) for key, _ in rows)

    def _indexes(self) -> list[tuple[redis.Redis, str]]:
        """Return each server with the name of its index, to which slots apply like to a key."""
        servers = self._store.servers()
        return [(server, self._store.name_on(server, SEARCH_INDEX)) for server in servers]


def _in_order(rows: Sequence[Row], query: Query) -> list[Row]:
    """Sort the rows of several servers as one does: rows without a value last."""
    valued = [row for row in rows if row[1] is not None]
    valued.sort(key=lambda row: _comparable(str(row[1])), reverse=query.descending)
    return valued + [row for row in rows if row[1] is None]


def _comparable(sort_key: str) -> float | str:
    """Return a sort key without the mark of its kind: # of a number, $ of a text."""
    kind, value = sort_key[0], sort_key[1:]
    return float(value) if kind == "#" else value


def _sorted_rows(
    server: redis.Redis, index: str, query: Query, start: int, count: int
) -> tuple[int, list[Row]]:
    """Return how many documents of a server match, and a part of them with their sort keys."""
    direction = "DESC" if query.descending else "ASC"
    sorting = ("WITHSORTKEYS", "SORTBY", query.order, direction)
    reply = _search(server, index, query.clause(), *sorting, "LIMIT", start, count)
    return int(reply[0]), list(zip(reply[1::2], reply[2::2], strict=True))


def _count(server: redis.Redis, index: str, clause: str) -> int:
    if clause == EVERYTHING:
        return int(_info(server, index)["num_docs"])
    return int(_search(server, index, clause, "LIMIT", 0, 0)[0])


def _indexed_share(server: redis.Redis, index: str) -> float | None:
    if (server.connection_pool.connection_kwargs.get("db") or 0) != INDEXED_DATABASE:
        return None
    try:
        return _share(server, index)
    except ResponseError:
        return _create(server, index)


def _share(server: redis.Redis, index: str) -> float:
    return float(_info(server, index)["percent_indexed"])


def _info(server: redis.Redis, index: str) -> dict[str, Any]:
    reply = _execute(server, "FT.INFO", index)
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _search(server: redis.Redis, index: str, clause: str, *options: Any) -> Sequence[Any]:
    # WITHOUTCOUNT would be faster still, but some queries with it crash RediSearch 2.10.5.
    return _execute(
        server,
        *("FT.SEARCH", index, clause, "NOCONTENT", *options),
        *("TIMEOUT", SEARCH_TIMEOUT_MS, "DIALECT", 2),
    )


def _create(server: redis.Redis, index: str) -> float | None:
    schema = [word for name, (path, *kind) in FIELDS.items() for word in (path, "AS", name, *kind)]
    try:
        _execute(
            server,
            *("FT.CREATE", index, "ON", "JSON", "PREFIX", 1, DOCUMENT_PREFIX),
            *("STOPWORDS", 0, "SCHEMA", *schema),
        )
    except ResponseError as error:
        if "already exists" in str(error).lower():  # another process has just created it
            return _share(server, index)
        logger.debug("This server keeps no search index: %s", error)
        return None
    deadline = time.monotonic() + BUILD_WAIT_S
    while (share := _share(server, index)) < 1 and time.monotonic() < deadline:
        time.sleep(BUILD_WAIT_S / 20)
    return share


def _execute(server: redis.Redis, *words: Any) -> Sequence[Any]:
    return cast(Sequence[Any], server.execute_command(*words))


def _windows(query: Query, now_ms: float) -> Iterator[Query]:
    """Yield the query within growing spans of time, at last without a span."""
    if query.descending and query.order in ("started", "last"):
        for length_ms in WINDOWS_MS:
            yield query.narrow(Between(query.order, start=now_ms - length_ms))
    yield query
