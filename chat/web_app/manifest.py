"""The web app manifest, with which browsers install the page.

https://www.w3.org/TR/appmanifest/
"""

import json
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language, get_language_bidi, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.branding import loader
from chat.branding.content import Branding
from chat.web_app.versions import digest_of, respond_with_version

# Of the page in the light scheme: a manifest has one colour for both.
BACKGROUND = "#fbfaf7"
# `scripts/icons.py` makes the PNG files from the SVG.
ICONS: tuple[dict[str, str], ...] = (
    {"src": "chat/favicon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
    {"src": "chat/icons/icon-192.png", "sizes": "192x192", "type": "image/png", "purpose": "any"},
    {"src": "chat/icons/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "any"},
    {
        "src": "chat/icons/maskable-512.png",
        "sizes": "512x512",
        "type": "image/png",
        "purpose": "maskable",
    },
)
# Chromium installs nothing whose only icon is a JPEG image.
ICON_TYPES = {"image/png", "image/svg+xml", "image/webp"}


@require_safe
def manifest(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """Return the manifest in a language."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with override(language):
        content = _manifest()
    return respond_with_version(request, content, digest, "application/manifest+json")


def manifest_url() -> str:
    """Return the URL of the manifest in the current language."""
    return reverse("manifest", args=[get_language(), digest_of(_manifest())])


def _manifest() -> bytes:
    return json.dumps(_describe_app(), ensure_ascii=False).encode()


def _describe_app() -> dict[str, Any]:
    page = reverse("page")
    site = loader.current()
    return {
        "id": page,
        "name": site.name,
        "short_name": site.name,
        "description": _("Chat with a language model on this server."),
        "lang": get_language(),
        "dir": "rtl" if get_language_bidi() else "ltr",
        "start_url": page,
        "scope": page,
        "display": "standalone",
        "theme_color": BACKGROUND,
        "background_color": BACKGROUND,
        "icons": _icons(site),
    }


def _icons(site: Branding) -> list[dict[str, str]]:
    """Return the operator's logo, which browsers scale, or the icons of the project."""
    if site.logo and site.logo.content_type in ICON_TYPES:
        logo = {"src": site.logo_url, "sizes": "any", "type": site.logo.content_type}
        return [logo | {"purpose": "any"}]
    return [icon | {"src": static(icon["src"])} for icon in ICONS]
