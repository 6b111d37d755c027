"""A tag with the site's branding, also for pages without a context, such as that of an error."""

from django import template

from chat.branding import content, loader

register = template.Library()


@register.simple_tag
def branding() -> content.Branding:
    """Return the branding."""
    return loader.current()
