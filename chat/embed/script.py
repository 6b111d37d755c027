"""The script that adds the chat to another website, with what it needs to know of this one."""

import json
from functools import cache
from pathlib import Path
from typing import cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.urls import reverse
from django.utils.translation import get_language, get_language_bidi, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.branding import loader
from chat.branding.colours import DEFAULT_ACCENT, readable_on
from chat.middleware import DO_NOT_KEEP

LAUNCHER = Path(__file__).parent.parent / "static" / "embed" / "launcher.js"
COMPRESSION = GZipMiddleware(lambda request: HttpResponse())


@require_safe
def embed_script(request: HttpRequest) -> HttpResponse:
    """Return the launcher and its configuration; 404 if no website may embed the chat.

    `?lang=` chooses the language; without it, the visitor's preferred one is used.
    """
    if not settings.EMBED_ORIGINS:
        raise Http404
    language = request.GET.get("lang", "")
    if language not in dict(settings.LANGUAGES):
        language = get_language() or settings.LANGUAGE_CODE
    with override(language):
        script = f"{_launcher()}({json.dumps(_configuration(language))});\n"
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = DO_NOT_KEEP
    # Also for websites that load only what agrees (Cross-Origin-Embedder-Policy).
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return cast(HttpResponse, COMPRESSION.process_response(request, response))


def _configuration(language: str) -> dict[str, object]:
    site = loader.current()
    accent = site.palette.accent if site.palette else DEFAULT_ACCENT
    return {
        "path": f"{reverse('embed')}?lang={language}",
        "direction": "rtl" if get_language_bidi() else "ltr",
        "accent": accent,
        "onAccent": readable_on(accent),
        "strings": {
            "title": site.name,
            "open": _("Open the chat"),
            "close": _("Close the chat"),
            # Translators: {count} is a number.
            "unread": _("new replies: {count}"),
        },
    }


@cache
def _launcher() -> str:
    return LAUNCHER.read_text().rstrip()
