"""Django's change list over sessions."""

from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest

from chat.models import Session
from chat.operator.results import Results

if TYPE_CHECKING:
    SessionPaginator = Paginator[Session]
else:
    SessionPaginator = Paginator

ROWS_REACHABLE = 5_000


class SessionChangeList(ChangeList):
    """The change list, with Redis to ask instead of a table."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> Any:
        """Return the rows that the filters, the search and the order ask for."""
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
        self.search_help_text = _help_text(rows)
        for spec in self.filter_specs:
            if not exclude_parameters or spec.expected_parameters() != exclude_parameters:
                rows = cast(Results, spec.queryset(request, cast(Any, rows)))
        rows = rows.order_by(*cast(list[str], self.get_ordering(request, cast(Any, rows))))
        self.clear_all_filters_qs = self.get_query_string(
            new_params=cast(Any, remaining), remove=list(self.get_filters_params())
        )
        return rows.narrow(text=self.query) if self.query else rows

    @property
    def notice(self) -> str | None:
        """What the operator must know about this list."""
        if self.page_num == self.paginator.num_pages and self.result_count > ROWS_REACHABLE:
            return f"Pages end after {ROWS_REACHABLE:,} rows. Narrow the list, or turn its order."
        return cast(Results, self.root_queryset).directory.notice()


class BoundedPaginator(SessionPaginator):
    """Counts all rows, but has pages for the first ROWS_REACHABLE only.

    To find a page far down the server has to sort all that is before it, and serves nobody else.
    """

    @cached_property
    def num_pages(self) -> int:
        """Return how many pages can be asked for."""
        return max(1, ceil(min(self.count, ROWS_REACHABLE) / self.per_page))


def _help_text(rows: Results) -> str:
    texts = ", words of messages" if rows.asked.in_texts else ""
    return f"Beginnings of words of the visitor's name{texts}; a session id or its beginning."
