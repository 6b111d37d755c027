"""The list's filters."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone

from chat.errors import ErrorCode
from chat.operator.results import Results
from chat.operator.search_query import Span
from chat.store.inspection import State

CLOCK = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d{1,2}):(\d\d)")
AROUND = timedelta(minutes=5)
MODEL_CODES = [code for code in ErrorCode if code.startswith(("model.", "reply."))]


class Filter(SimpleListFilter):
    """A filter on Rows: `conditions` says what a choice asks for."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows of the chosen kind; an unknown choice chooses nothing."""
        chosen = self.value()
        if chosen is None or chosen not in dict(self.lookup_choices):
            return queryset
        return cast(Results, queryset).narrow(**self.conditions(chosen))

    def conditions(self, chosen: str) -> dict[str, Any]:
        """Return what is asked of a session, named as in Query."""
        raise NotImplementedError

    def get_facet_queryset(self, changelist: ChangeList) -> dict[str, int]:
        """Count the rows of every choice."""
        rows = changelist.get_queryset(self.request, exclude_parameters=self.expected_parameters())
        return {
            f"{number}__c": cast(Results, rows).narrow(**self.conditions(choice)).count()
            for number, (choice, _) in enumerate(self.lookup_choices)
        }


class StateFilter(Filter):
    """What a session is doing now."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [(state.value, state.value.capitalize()) for state in State]

    def conditions(self, chosen: str) -> dict[str, Any]:
        """Return the state."""
        return {"state": State(chosen)}


class FailuresFilter(Filter):
    """Whether any reply failed, and how."""

    title = "failures"
    parameter_name = "failures"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices: any, none, or one code."""
        return [
            ("yes", "Has failures"),
            ("no", "Has none"),
            *((code.value, code.value) for code in MODEL_CODES),
        ]

    def conditions(self, chosen: str) -> dict[str, Any]:
        """Return whether, or with which code."""
        if chosen in ("yes", "no"):
            return {"has_failures": chosen == "yes"}
        return {"failure": ErrorCode(chosen)}


class SlowFilter(Filter):
    """How long the slowest reply took, from acceptance to its end."""

    title = "slowest reply"
    parameter_name = "slow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices, in seconds."""
        return [(str(seconds), f"{seconds} s or more") for seconds in (5, 15, 30, 60)]

    def conditions(self, chosen: str) -> dict[str, Any]:
        """Return the shortest duration."""
        return {"took": Span(start=int(chosen) * 1000)}


class AgeFilter(Filter):
    """How long ago something happened: `young` and `old` in minutes."""

    field: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices: within, and longer ago."""
        spans = {"10": "10 minutes", "60": "hour", "1440": "24 hours"}
        within = [(minutes, f"Past {name}") for minutes, name in spans.items()]
        before = [("-10", "Over 10 minutes ago"), ("-60", "Over an hour ago")]
        return within + before

    def conditions(self, chosen: str) -> dict[str, Any]:
        """Return the span of time that is meant, seen from this minute."""
        now = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        border = _ms(now - timedelta(minutes=abs(int(chosen))))
        return {self.field: Span(end=border) if chosen.startswith("-") else Span(start=border)}


class StartedFilter(AgeFilter):
    """When the session began."""

    title = "age"
    parameter_name = "age"
    field = "started"


class LastFilter(AgeFilter):
    """When its last message was stored."""

    title = "last message"
    parameter_name = "last"
    field = "last"


class AroundFilter(SimpleListFilter):
    """Sessions in which a message was stored around a time of day, typed by the operator."""

    title = "messages around a time"
    parameter_name = "around"
    template = "admin/chat/around_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return one choice, so that the filter is shown."""
        return [("", "")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows with a message up to AROUND before or after the time."""
        moment = read_moment(self.value() or "", timezone.localtime())
        if moment is None:
            return queryset
        span = Span(start=_ms(moment - AROUND), end=_ms(moment + AROUND + timedelta(minutes=1)))
        return cast(Results, queryset).narrow(said=span)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield what the filter's own template needs."""
        kept = {
            name: value
            for name, value in changelist.params.items()
            if name not in (self.parameter_name, "p", "e")
        }
        yield {
            "selected": not self.value(),
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Any time",
            "value": self.value() or "",
            "understood": read_moment(self.value() or "", timezone.localtime()),
            "kept": kept,
            "zone": timezone.get_current_timezone_name(),
        }


def read_moment(text: str, now: datetime) -> datetime | None:
    """Read `09:10` or `2026-03-01 09:10` in the zone of `now`; None where it is neither.

    A time of day alone is the last time it was that time.
    """
    match = CLOCK.fullmatch(text.strip())
    if not match:
        return None
    try:
        clock = now.replace(hour=int(match[2]), minute=int(match[3]), second=0, microsecond=0)
        if match[1]:
            day = datetime.fromisoformat(match[1])
            return clock.replace(year=day.year, month=day.month, day=day.day)
    except ValueError:
        return None
    return clock if clock <= now else clock - timedelta(days=1)


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000
