"""The web app manifest, with which browsers install the page.

https://www.w3.org/TR/appmanifest/
"""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language_info, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.middleware import KEEP_FOR_A_DAY

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


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Return the manifest in the language of the query."""
    language = request.GET.get("language", settings.LANGUAGE_CODE)
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with override(language):
        response = JsonResponse(_describe_app(language), json_dumps_params={"ensure_ascii": False})
    response["Content-Type"] = "application/manifest+json"
    response["Cache-Control"] = KEEP_FOR_A_DAY
    return response


def _describe_app(language: str) -> dict[str, Any]:
    page = reverse("page")
    return {
        "id": page,
        "name": _site_name(),
        "short_name": _site_name(),
        "description": _("Chat with a language model on this server."),
        "lang": language,
        "dir": "rtl" if get_language_info(language)["bidi"] else "ltr",
        "start_url": page,
        "scope": page,
        "display": "standalone",
        "theme_color": BACKGROUND,
        "background_color": BACKGROUND,
        "icons": [icon | {"src": static(icon["src"])} for icon in ICONS],
    }


def _site_name() -> str:
    return _("Chat")
