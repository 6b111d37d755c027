"""Filters that format times and durations on the admin's pages."""

from django import template

from chat.operator.charts import format_duration
from chat.operator.conditions import STATE_LABELS
from chat.operator.pages import format_time
from chat.store.operation.inspection import State

register = template.Library()
register.filter("time", format_time)
register.filter("milliseconds", format_duration)


@register.filter
def state_label(state: State) -> str:
    """Return the word for a session's state."""
    return STATE_LABELS[state]


@register.filter
def seconds(length_s: float) -> str:
    """Format a length of time given in seconds."""
    return format_duration(length_s * 1000)
