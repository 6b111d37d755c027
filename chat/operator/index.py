"""The search index over the sessions' documents, where the server has one.

The server keeps it up to date with every write of a document; nothing is written for it. It is made
when an operator first opens the list, so a site without operators pays nothing.
Source: https://redis.io/docs/latest/commands/ft.create/ (RediSearch 2.10; part of Redis 8).
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.exceptions import ResponseError

from chat.operator.query import Query
from chat.sessions import DOCUMENT_PREFIX, SEARCH_INDEX, session_of
from chat.store import Store, translated

logger = logging.getLogger(__name__)

TIMEOUT_MS = 1_500
PATIENCE_S = 0.4
# The module serves this one; asked on another, it answers with this one's documents.
ONLY_DATABASE = 0
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
    ("$.messages[*].msg", "msg", "TEXT", "NOSTEM"),
)


@dataclass(frozen=True)
class Hits:
    """One page of ids, and how many there are in all."""

    count: int
    ids: tuple[str, ...]


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
        with translated("index"):
            try:
                return self._share()
            except ResponseError:
                return self._make()

    def search(self, query: str, order: Query, start: int, count: int) -> Hits:
        """Return the ids of one page; raises StoreUnavailable, also for a query it cannot read."""
        with translated("search"):
            answer = self._command(
                "FT.SEARCH",
                *(SEARCH_INDEX, query, "NOCONTENT", "LIMIT", start, count, "TIMEOUT", TIMEOUT_MS),
                *(("SORTBY", order.order, "DESC" if order.descending else "ASC") if count else ()),
                *("DIALECT", 2),
            )
        return Hits(int(answer[0]), tuple(session_of(key) for key in answer[1:]))

    def _share(self) -> float:
        answer = self._command("FT.INFO", SEARCH_INDEX)
        return float(dict(zip(answer[::2], answer[1::2], strict=True))["percent_indexed"])

    def _make(self) -> float | None:
        schema = [word for path, name, *kind in FIELDS for word in (path, "AS", name, *kind)]
        try:
            self._command(
                *("FT.CREATE", SEARCH_INDEX, "ON", "JSON", "PREFIX", 1, DOCUMENT_PREFIX),
                *("STOPWORDS", 0, "SCHEMA", *schema),
            )
        except ResponseError as error:
            logger.debug("This server keeps no search index: %s", error)
            return None
        give_up_at = time.monotonic() + PATIENCE_S
        while (share := self._share()) < 1 and time.monotonic() < give_up_at:
            time.sleep(PATIENCE_S / 20)
        return share

    def _command(self, *words: Any) -> Sequence[Any]:
        answer = self._redis.execute_command(*words)  # type: ignore[no-untyped-call]
        return cast(Sequence[Any], answer)
