"""The page without the server: a service worker, and the page that it shows.

The page is that of every visitor, without a session. The worker keeps it with the files that it
needs. What it shows is stored in the browser: the list of conversations and their messages.
"""

import json
from pathlib import Path

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import override
from django.views.decorators.http import require_safe

from chat.branding import loader
from chat.middleware import DO_NOT_KEEP, KEEP_FOR_A_DAY
from chat.views import PAGE_POLICY, STATIC, catalogue_url, page_context
from chat.web_app.versions import digest_of, respond_with_version

SCRIPT = Path(__file__).with_name("service_worker.js")
# What every conversation needs. The worker keeps other files when they are requested.
FILES = (
    "chat/page.css",
    "chat/branding.css",
    "chat/dialogs.css",
    "chat/highlight.css",
    "chat/rating.css",
    "chat/version_pager.css",
    "chat/favicon.svg",
    *sorted(
        file.relative_to(STATIC).as_posix()
        for pattern in ("chat/**/*.js", "vendor/lit-html/**/*.js")
        for file in STATIC.glob(pattern)
    ),
    "vendor/marked/marked.js",
    "vendor/dompurify/purify.js",
    "vendor/highlight/core.js",
)


@require_safe
def offline_page(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """Return the page that the worker shows while the server cannot be reached."""
    _check_language(language)
    page = _offline_page(language)
    response = respond_with_version(request, page, digest, "text/html; charset=utf-8")
    response["Content-Language"] = language
    response[HEADER] = build_policy(update=PAGE_POLICY)
    return response


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """Return the worker of the current release; `release` makes a new one known at once.

    Browsers look for a changed worker after each visit, but in their cache for a day.
    """
    language = request.GET.get("language", "")
    _check_language(language)
    response = HttpResponse(_script(language), content_type="text/javascript; charset=utf-8")
    is_current = request.GET.get("release") == _release()
    response["Cache-Control"] = KEEP_FOR_A_DAY if is_current else DO_NOT_KEEP
    return response


def _check_language(language: str) -> None:
    # Without a digest in their URLs, files cannot be kept.
    if language not in dict(settings.LANGUAGES) or not _release():
        raise Http404


def _release() -> str:
    """Return the digest in the URLs of static files; with DEBUG they have none."""
    return static("").removeprefix(settings.STATIC_URL).rstrip("/")


def _offline_page(language: str) -> bytes:
    with override(language):
        context = page_context() | {"is_offline": True}
        return render_to_string("chat/page.html", context).encode()


def _script(language: str) -> str:
    page = _offline_page(language)
    with override(language):
        site = loader.current()
        branding = [url for url in (site.stylesheet_url, site.logo_url) if url]
        files = [catalogue_url(), *branding, *map(static, FILES)]
    release = {
        "page": reverse("page"),
        "offlinePage": reverse("offline", args=[language, digest_of(page)]),
        "files": files,
        "folder": static(""),
    }
    release["version"] = digest_of(json.dumps(release).encode())
    return f"const RELEASE = {json.dumps(release)};\n{SCRIPT.read_text()}"
