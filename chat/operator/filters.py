"""The filters of the session list."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast, get_args

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone

from chat.errors import ErrorCode
from chat.operator.changelist import Results
from chat.operator.conditions import (
    ERROR_CODES,
    FAILURE,
    RATING,
    STATE_LABELS,
    Between,
    OneOf,
    in_state,
)
from chat.schemas import Rating
from chat.store.operation.inspection import State

TIME = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d{1,2}):(\d\d)")
AROUND = timedelta(minutes=5)
HAS_MESSAGES = Between("length", start=1)
RATINGS = frozenset(get_args(Rating))
REPLY_CODES = [code.value for code in ErrorCode if code.startswith(("model.", "reply."))]


class Filter(SimpleListFilter):
    """A filter with fixed choices: `labels` by the value in the URL."""

    labels: dict[str, str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return list(self.labels.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows for the choice; all rows without one or for an unknown one."""
        choice = self.value()
        return self.narrow(queryset, choice) if choice in self.labels else queryset

    def narrow(self, rows: Results, choice: str) -> Results:
        """Return the rows for a choice."""
        raise NotImplementedError

    def get_facet_queryset(self, changelist: ChangeList) -> dict[str, int]:
        """Count the rows of each choice."""
        rows = changelist.get_queryset(self.request, exclude_parameters=self.expected_parameters())
        return {
            f"{number}__c": self.narrow(cast(Results, rows), choice).count()
            for number, choice in enumerate(self.labels)
        }


class StateFilter(Filter):
    """What a session is doing now."""

    title = "state"
    parameter_name = "state"
    labels = {state.value: label.capitalize() for state, label in STATE_LABELS.items()}

    def narrow(self, rows: Results, choice: str) -> Results:
        return rows.narrow(*in_state(State(choice), rows.search.busy))


class MessagesFilter(Filter):
    """Whether a session has messages. Without a choice and a search text, empty ones are hidden."""

    title = "messages"
    parameter_name = "messages"
    labels = {"none": "No messages yet", "any": "All"}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() is None and not request.GET.get("q", "").strip():
            return cast(Results, queryset).narrow(HAS_MESSAGES)
        return super().queryset(request, queryset)

    def narrow(self, rows: Results, choice: str) -> Results:
        return rows.narrow(replace(HAS_MESSAGES, negated=True)) if choice == "none" else rows

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the choices: the first one is the list without a choice."""
        first, *others = super().choices(changelist)
        first["display"] = "With messages" if not changelist.query.strip() else "All found"
        yield first
        yield from others


class FailuresFilter(Filter):
    """Whether any reply failed, or failed with one error code."""

    title = "failures"
    parameter_name = "failures"
    labels = {"yes": "Any failure", "no": "No failures", **{code: code for code in REPLY_CODES}}

    def narrow(self, rows: Results, choice: str) -> Results:
        codes = ERROR_CODES if choice in ("yes", "no") else frozenset({choice})
        return rows.narrow(OneOf(FAILURE, codes, negated=choice == "no"))


class RatingFilter(Filter):
    """Whether visitors rated any reply as good or bad."""

    title = "rating"
    parameter_name = "rating"
    labels = {"any": "Rated", "up": "Any good reply", "down": "Any bad reply", "no": "Not rated"}

    def narrow(self, rows: Results, choice: str) -> Results:
        ratings = RATINGS if choice in ("any", "no") else frozenset({choice})
        return rows.narrow(OneOf(RATING, ratings, negated=choice == "no"))


class SlowFilter(Filter):
    """How long the slowest reply took, from its message's acceptance to its end, in seconds."""

    title = "slowest reply"
    parameter_name = "slow"
    labels = {str(seconds): f"{seconds} s or more" for seconds in (5, 15, 30, 60)}

    def narrow(self, rows: Results, choice: str) -> Results:
        return rows.narrow(Between("reply_ms", start=int(choice) * 1000))


class AgeFilter(Filter):
    """How long ago something happened, in minutes; negative: longer ago."""

    labels = {
        "10": "Past 10 minutes",
        "60": "Past hour",
        "1440": "Past 24 hours",
        "-10": "More than 10 minutes ago",
        "-60": "More than an hour ago",
    }
    field: str

    def narrow(self, rows: Results, choice: str) -> Results:
        # Counted from the next full minute, so that the queries of one request are equal and the
        # counts of facets are cached.
        now = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        limit = _milliseconds(now - timedelta(minutes=abs(int(choice))))
        is_older = choice.startswith("-")
        return rows.narrow(
            Between(self.field, end=limit) if is_older else Between(self.field, start=limit)
        )


class StartedFilter(AgeFilter):
    """When the session started."""

    title = "start time"
    parameter_name = "age"
    field = "started"


class LastFilter(AgeFilter):
    """When its last message was stored."""

    title = "last message"
    parameter_name = "last"
    field = "last"


class AroundFilter(SimpleListFilter):
    """Sessions with a message around a time that the operator types."""

    title = "time of any message"
    parameter_name = "around"
    template = "admin/chat/around_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return one choice: Django hides a filter without any."""
        return [("", "")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows with a message up to AROUND before or after the time."""
        time = self._time()
        if time is None:
            return queryset
        start = _milliseconds(time - AROUND)
        end = _milliseconds(time + AROUND + timedelta(minutes=1))
        return cast(Results, queryset).narrow(Between("message_time", start, end))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the context of the filter's own template."""
        yield {
            "selected": not self.value(),
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Any time",
            "value": self.value() or "",
            "time": self._time(),
            "other_parameters": {
                name: value
                for name, value in changelist.params.items()
                if name not in (self.parameter_name, "p", "e")
            },
        }

    def _time(self) -> datetime | None:
        return parse_time(self.value() or "", timezone.localtime())


def parse_time(text: str, now: datetime) -> datetime | None:
    """Parse `09:10` or `2026-03-01 09:10` in the zone of `now`; None if it is neither.

    A time without a date is the last time it was that time.
    """
    match = TIME.fullmatch(text.strip())
    if not match:
        return None
    try:
        time = now.replace(hour=int(match[2]), minute=int(match[3]), second=0, microsecond=0)
        if match[1]:
            day = datetime.fromisoformat(match[1])
            return time.replace(year=day.year, month=day.month, day=day.day)
    except ValueError:
        return None
    return time if time <= now else time - timedelta(days=1)


def _milliseconds(instant: datetime) -> float:
    return instant.timestamp() * 1000
