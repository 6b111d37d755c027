"""The chat page: a name form that works without JavaScript, and the markup the script fills."""

from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any, cast

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, ngettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_http_methods, require_safe
from django.views.i18n import JavaScriptCatalog

from chat.addresses import client_address, client_network
from chat.api.names import MAX_NAME_CHARS, InvalidName
from chat.api.session_routes import create_session
from chat.api.share_routes import PRIVATE_HEADERS, check_share
from chat.branding import loader
from chat.branding.content import model_name
from chat.container import async_store, read_limits
from chat.errors import ChatError, RateLimited, SessionUnknown, StoreFull
from chat.schemas import parse_uuid, session_id
from chat.store import sessions
from chat.store.operation.erasure import ERASURE_MARGIN_S
from chat.store.sessions import NO_MESSAGES
from chat.store.shares import ShareUnknown
from chat.web_app.manifest import manifest_url
from chat.web_app.versions import COMPRESSION, digest_of, respond_with_version
from chat.websocket.handshake import COOKIE

# Only sanitised HTML and templates may reach the DOM; the browser enforces it.
PAGE_POLICY = {
    "manifest-src": ["'self'"],
    "worker-src": ["'self'"],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["lit-html", "dompurify", "service-worker"],
}

# A shared page shows what others wrote. In a sandbox it has no origin: not even a script that got
# into it could read the conversations that its reader has in this browser.
SANDBOX = {"sandbox": ["allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox"]}

STATIC = Path(__file__).parent / "static"
# Preloaded, so that the browser need not discover each import from the module before it. Markdown
# rendering, the copies kept by the browser, versions and dialogs load when they are needed.
LAZY_MODULES = {
    "archive.js",
    "boot.js",
    "branding.js",
    "code_block.js",
    "dialogs.js",
    "embedded.js",
    "export.js",
    "markdown.js",
    "math.js",
    "support.js",
    "rating.js",
    "model_picker.js",
    "notification_settings.js",
    "notifications.js",
    "offline.js",
    "read_aloud.js",
    "register_worker.js",
    "search.js",
    "speech.js",
    "styles.js",
    "text_language.js",
    "share_links.js",
    "shared_page.js",
    "question_editor.js",
    "version_pager.js",
    "versions.js",
}
SHARED_MODULES = ("shared_page", "clipboard", "i18n", "icons", "reply_text", "markdown")
MODULES = sorted(
    file.relative_to(STATIC).as_posix()
    for folder in ("chat", "vendor/lit-html")
    for file in (STATIC / folder).rglob("*.js")
    if file.name not in LAZY_MODULES
)

# By the length of the unit, in seconds.
RETENTION_SENTENCES = {
    86_400: ngettext_lazy(
        "The server deletes a conversation one day after its last message.",
        "The server deletes a conversation %(count)s days after its last message.",
        "count",
    ),
    3600: ngettext_lazy(
        "The server deletes a conversation one hour after its last message.",
        "The server deletes a conversation %(count)s hours after its last message.",
        "count",
    ),
    60: ngettext_lazy(
        "The server deletes a conversation one minute after its last message.",
        "The server deletes a conversation %(count)s minutes after its last message.",
        "count",
    ),
    1: ngettext_lazy(
        "The server deletes a conversation one second after its last message.",
        "The server deletes a conversation %(count)s seconds after its last message.",
        "count",
    ),
}
ERASURE_SENTENCE = ngettext_lazy(
    "Deleted conversations leave the server's disk within one minute.",
    "Deleted conversations leave the server's disk within %(count)s minutes.",
    "count",
)


def catalogue(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """Return the script with the page's sentences in a language."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    script = _catalogue_script(language)
    response = respond_with_version(request, script, digest, "text/javascript; charset=utf-8")
    response["Content-Language"] = language
    response["Access-Control-Allow-Origin"] = "*"  # a shared page has no origin
    return response


def catalogue_url() -> str:
    """Return the URL of the page's sentences in the current language."""
    language = get_language() or settings.LANGUAGE_CODE
    return reverse("catalogue", args=[language, digest_of(_catalogue_script(language))])


@cache
def _catalogue_script(language: str) -> bytes:
    request = HttpRequest()
    request.method = "GET"
    with override(language):
        response = JavaScriptCatalog.as_view(packages=["chat"])(request)
    return cast(HttpResponse, response).content


@require_http_methods(["GET", "HEAD", "POST"])
async def page(request: HttpRequest) -> HttpResponse:
    """Return the page; a POST with `name` starts a session and redirects with its cookie."""
    if request.method == "POST":
        return await _start_session(request)
    return await _page(request)


@xframe_options_exempt
@require_safe
async def embedded_page(request: HttpRequest) -> HttpResponse:
    """Return the page for a frame of the websites in EMBED_ORIGINS; 404 if there are none."""
    language = request.GET.get("lang", "")
    if not settings.EMBED_ORIGINS:
        raise Http404
    with override(language if language in dict(settings.LANGUAGES) else get_language()):
        response = await _page(request)
    framed = {"frame-ancestors": settings.EMBED_ORIGINS}
    response[HEADER] = build_policy(update=PAGE_POLICY, replace=framed)
    return response


async def _start_session(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "")
    try:
        token, __ = await create_session(name, client_address(request))
    except InvalidName as invalid:
        error = _("Enter a valid name.")
        if invalid.is_invisible:
            error = _("Enter a name without control or text direction characters.")
        return await _page(request, name=name, error=error, status=400)
    except RateLimited:
        error = _("Too many new conversations. Wait a minute and try again.")
        return await _page(request, name=name, error=error, status=429)
    except StoreFull:
        error = _("The server has no room for new conversations right now. Try again later.")
        return await _page(request, name=name, error=error, status=503)
    except ChatError:
        error = _("The server can't start a conversation right now. Try again shortly.")
        return await _page(request, name=name, error=error, status=503)
    response = HttpResponseRedirect(reverse("page"))
    response.set_cookie(
        COOKIE,
        str(token),
        max_age=int(settings.SESSION_TTL_S),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


async def _page(
    request: HttpRequest, *, name: str = "", error: str = "", status: int = 200
) -> HttpResponse:
    cookie = request.COOKIES.get(COOKIE)
    session, is_unknown = await _session(cookie, request) if cookie else (None, False)
    context = page_context() | {"name": name, "error": error}
    context["bootstrap"] |= {"now": datetime.now(UTC).isoformat(), "session": session}
    response = render(request, "chat/page.html", context, status=status)
    response[HEADER] = build_policy(update=PAGE_POLICY)
    if is_unknown:
        response.delete_cookie(COOKIE, samesite="Lax")
    return cast(HttpResponse, COMPRESSION.process_response(request, response))


def page_context() -> dict[str, Any]:
    """Return what the page says to every visitor: without a name, a session and the time."""
    erasure = erasure_sentence(settings.AOF_REWRITE_INTERVAL_S)
    site = loader.current()
    return {
        "site": site,
        "name_max_chars": MAX_NAME_CHARS,
        "retention": retention_sentence(settings.SESSION_TTL_S),
        "erasure": erasure,
        "modules": MODULES,
        "catalogue": catalogue_url(),
        "manifest": manifest_url(),
        "bootstrap": {
            "max_message_chars": settings.MAX_MESSAGE_CHARS,
            "erasure": erasure,
            "sharing": settings.SHARES_PER_SESSION > 0,
            "session": None,
            "embed_origins": settings.EMBED_ORIGINS,
            "site": {"name": site.name, "logo": site.logo_url, "model": model_name()},
        },
    }


@require_http_methods(["GET", "HEAD"])
async def shared_page(request: HttpRequest, secret: str) -> HttpResponse:
    """Return the page that loads a shared conversation, or the one that says that it has ended."""
    name, status = "page", 200
    try:
        await check_share(request, secret)
    except ShareUnknown:
        name, status = "ended", 404
    except RateLimited:
        name, status = "unavailable", 429
    except ChatError:
        name, status = "unavailable", 503
    context = {
        "catalogue": catalogue_url(),
        "modules": [f"chat/{module}.js" for module in SHARED_MODULES],
        "icon": _icon(),
    }
    response = render(request, f"chat/shared/{name}.html", context, status=status)
    for header, value in PRIVATE_HEADERS.items():
        response[header] = value
    if status == 200:
        response[HEADER] = build_policy(update=PAGE_POLICY | SANDBOX)
    return response


def _icon() -> str:
    """Return the icon inside a URL: a page without an origin may not load it as an image."""
    logo = loader.current().logo
    content = logo.content if logo else _default_icon()
    content_type = logo.content_type if logo else "image/svg+xml"
    return f"data:{content_type};base64,{b64encode(content).decode()}"


@cache
def _default_icon() -> bytes:
    return (STATIC / "chat" / "favicon.svg").read_bytes()


def retention_sentence(ttl_s: float) -> str:
    """Return when conversations are deleted, in the largest unit that states it exactly."""
    seconds = round(ttl_s)
    unit_s = max(unit_s for unit_s in RETENTION_SENTENCES if seconds % unit_s == 0)
    return RETENTION_SENTENCES[unit_s] % {"count": seconds // unit_s}


def erasure_sentence(interval_s: float) -> str:
    """Return when deleted conversations have left Redis' files; empty if nothing is promised."""
    if not interval_s:
        return ""
    return ERASURE_SENTENCE % {"count": ceil((interval_s + ERASURE_MARGIN_S) / 60)}


async def _session(token: str, request: HttpRequest) -> tuple[dict[str, str] | None, bool]:
    """Return the token and name behind the form's cookie, and whether that session is unknown.

    The page's script gets the token from here: it cannot read the HttpOnly cookie.
    """
    network = client_network(request)
    try:
        read_limits().check_unknown(network)
        command = sessions.load(session_id(str(parse_uuid(token))), page=NO_MESSAGES)
        session = await async_store().run(command)
    except (ValueError, SessionUnknown):
        read_limits().count_unknown(network)
        return None, True
    except ChatError:
        return None, False
    return {"token": token, "name": session.name}, False
