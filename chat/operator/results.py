"""What Django's change list takes for a queryset: rows read from Redis when they are looked at."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, overload

from chat.models import Session
from chat.operator.search_query import ORDERS, Query
from chat.operator.session_search import SessionSearch

ROWS_AT_MOST = 1_000


class Results:
    """Sessions that match a query, in its order. Immutable, like a queryset."""

    model = Session
    ordered = True
    # The change list asks a queryset for the order it brings along.
    query = SimpleNamespace(order_by=(), select_related=False)

    def __init__(self, directory: SessionSearch, asked: Query) -> None:
        self.directory = directory
        self.asked = asked
        self._read: list[Session] | None = None

    def narrow(self, **conditions: Any) -> "Results":
        """Return the rows that also meet these conditions, named as in Query."""
        return Results(self.directory, replace(self.asked, **conditions))

    def filter(self, *, pk__in: Iterable[str]) -> "Results":
        """Return only the rows with these ids, as an action on selected rows asks for."""
        return self.narrow(ids=frozenset(pk__in))

    def order_by(self, *fields: str) -> "Results":
        """Return the rows in another order; the index sorts by one field, so the first counts."""
        for field in fields:
            if (name := field.removeprefix("-")) in ORDERS:
                return self.narrow(order=name, descending=field.startswith("-"))
        return self

    def count(self) -> int:
        """Return how many rows there are."""
        return self.directory.count(self.asked)

    def _clone(self) -> "Results":
        return Results(self.directory, self.asked)

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Session]:
        return iter(self._all())

    @overload
    def __getitem__(self, key: int) -> Session: ...
    @overload
    def __getitem__(self, key: slice) -> list[Session]: ...
    def __getitem__(self, key: int | slice) -> Session | list[Session]:
        if isinstance(key, int):
            return self._between(key, key + 1)[0]
        return self._between(key.start or 0, ROWS_AT_MOST if key.stop is None else key.stop)

    def _all(self) -> list[Session]:
        if self._read is None:
            self._read = self._between(0, ROWS_AT_MOST)
        return self._read

    def _between(self, start: int, stop: int) -> list[Session]:
        return [Session.of(each) for each in self.directory.page(self.asked, start, stop)]
