"""Django's change list over sessions."""

from typing import Any, cast

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from chat.operator.rows import Rows


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
        rows = cast(Rows, self.root_queryset)
        self.search_help_text = _help_text(rows)
        for spec in self.filter_specs:
            if not exclude_parameters or spec.expected_parameters() != exclude_parameters:
                rows = cast(Rows, spec.queryset(request, cast(Any, rows)))
        rows = rows.order_by(*cast(list[str], self.get_ordering(request, cast(Any, rows))))
        self.clear_all_filters_qs = self.get_query_string(
            new_params=cast(Any, remaining), remove=list(self.get_filters_params())
        )
        return rows.narrow(text=self.query) if self.query else rows

    @property
    def notice(self) -> str | None:
        """What the operator must know about this list."""
        return cast(Rows, self.root_queryset).directory.notice()


def _help_text(rows: Rows) -> str:
    texts = ", words of messages" if rows.asked.in_texts else ""
    return f"Beginnings of words of the visitor's name{texts}; a session id or its beginning."
