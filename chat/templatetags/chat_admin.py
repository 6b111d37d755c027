"""How the admin's pages write times and lengths of time."""

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from chat.operator import pages, timeline

register = template.Library()


@register.filter
def moment(instant: datetime | None) -> SafeString | str:
    """Write a time; of today without the date."""
    return pages.moment(instant)


@register.filter
def seconds(length_s: float) -> str:
    """Write a length of time given in seconds."""
    return timeline.duration(length_s * 1000)


@register.filter
def milliseconds(length_ms: float) -> str:
    """Write a length of time given in milliseconds."""
    return timeline.duration(length_ms)
