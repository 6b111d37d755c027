"""Django's change list over sessions in Redis instead of rows in a table."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from math import ceil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast, overload

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest

from chat.models import Session
from chat.operator.conditions import ORDERS, Condition, Query, Words, one_of_ids
from chat.operator.session_search import SessionSearch

if TYPE_CHECKING:
    SessionPaginator = Paginator[Session]
else:
    SessionPaginator = Paginator

MAX_ROWS = 1_000
MAX_PAGED_ROWS = 5_000


class Results:
    """The sessions that match a query, in its order: what the change list takes for a queryset.

    Immutable and lazy, like a queryset.
    """

    model = Session
    ordered = True
    # The change list reads these attributes of a queryset's `query`.
    query = SimpleNamespace(order_by=(), select_related=False)

    def __init__(self, search: SessionSearch, criteria: Query) -> None:
        self.search = search
        self._criteria = criteria
        self._rows: list[Session] | None = None

    def narrow(self, *conditions: Condition) -> "Results":
        """Return the rows that also meet these conditions."""
        return Results(self.search, self._criteria.narrow(*conditions))

    def filter(self, *, pk__in: Iterable[str]) -> "Results":
        """Return the rows with these ids; Django calls this for an action on selected rows."""
        return self.narrow(one_of_ids(pk__in))

    def order_by(self, *fields: str) -> "Results":
        """Return the rows in another order; the index sorts by one field, so the first counts."""
        for field in fields:
            if (name := field.removeprefix("-")) in ORDERS:
                query = Query(self._criteria.conditions, name, field.startswith("-"))
                return Results(self.search, query)
        return self

    def count(self) -> int:
        """Return how many rows there are."""
        return self.search.count(self._criteria)

    def _clone(self) -> "Results":
        return Results(self.search, self._criteria)

    def __len__(self) -> int:
        return len(self._load())

    def __iter__(self) -> Iterator[Session]:
        return iter(self._load())

    @overload
    def __getitem__(self, key: int) -> Session: ...
    @overload
    def __getitem__(self, key: slice) -> list[Session]: ...
    def __getitem__(self, key: int | slice) -> Session | list[Session]:
        if isinstance(key, int):
            return self._page(key, key + 1)[0]
        return self._page(key.start or 0, MAX_ROWS if key.stop is None else key.stop)

    def _load(self) -> list[Session]:
        if self._rows is None:
            self._rows = self._page(0, MAX_ROWS)
        return self._rows

    def _page(self, start: int, stop: int) -> list[Session]:
        summaries = self.search.page(self._criteria, start, stop)
        return [Session.from_summary(summary) for summary in summaries]


class SessionChangeList(ChangeList):
    """The change list with `Results` as its queryset."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> Any:
        """Return the rows for the filters, the search text and the order of a request."""
        (
            self.filter_specs,
            self.has_filters,
            remaining,
            _,
            self.has_active_filters,
        ) = self.get_filters(request)
        if remaining:
            raise IncorrectLookupParameters
        rows = cast(Results, self.root_queryset)
        may_read = request.user.has_perm("chat.view_transcript")
        self.search_help_text = (
            f"Beginnings of words in the visitor's name{' or in messages' if may_read else ''},"
            " or a session ID."
        )
        for spec in self.filter_specs:
            if not exclude_parameters or spec.expected_parameters() != exclude_parameters:
                rows = cast(Results, spec.queryset(request, cast(Any, rows)))
        rows = rows.order_by(*cast(list[str], self.get_ordering(request, cast(Any, rows))))
        self.clear_all_filters_qs = self.get_query_string(
            new_params=cast(Any, remaining), remove=list(self.get_filters_params())
        )
        if not self.query.strip():
            return rows
        return rows.narrow(Words("name|msg" if may_read else "name", self.query))

    @property
    def notice(self) -> str | None:
        """Why the list may be incomplete, or None."""
        if self.page_num == self.paginator.num_pages and self.result_count > MAX_PAGED_ROWS:
            return (
                f"Only the first {MAX_PAGED_ROWS:,} rows can be shown."
                " Narrow the list or reverse its order."
            )
        return cast(Results, self.root_queryset).search.notice()


class BoundedPaginator(SessionPaginator):
    """Counts all rows, but has pages for the first MAX_PAGED_ROWS only.

    To find a page far down, the server sorts all rows before it and serves no other client
    meanwhile.
    """

    @cached_property
    def num_pages(self) -> int:
        """The number of pages that can be requested."""
        return max(1, ceil(min(self.count, MAX_PAGED_ROWS) / self.per_page))
