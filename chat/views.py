"""The chat page: a name form that works without JavaScript, and the markup the script fills."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from math import ceil
from pathlib import Path
from typing import cast

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, ngettext_lazy, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.i18n import JavaScriptCatalog

from chat.addresses import client_address, client_network
from chat.api.names import MAX_NAME_CHARS, InvalidName
from chat.api.session_routes import create_session
from chat.container import async_store, read_limits
from chat.errors import ChatError, RateLimited, SessionUnknown, StoreFull
from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER
from chat.schemas import parse_uuid, session_id
from chat.store import sessions
from chat.store.erasure import ERASURE_MARGIN_S
from chat.store.sessions import NO_MESSAGES
from chat.websocket.handshake import COOKIE

# Only sanitised HTML and templates may reach the DOM; the browser enforces it.
TRUSTED_TYPES = {
    "require-trusted-types-for": ["'script'"],
    "trusted-types": ["lit-html", "dompurify"],
}

STATIC = Path(__file__).parent / "static"
# Preloaded, so that the browser need not discover each import from the module before it. Markdown
# rendering, the copies kept by the browser and dialogs load when they are needed.
LAZY_MODULES = {
    "archive.js",
    "boot.js",
    "code_block.js",
    "dialogs.js",
    "export.js",
    "markdown.js",
    "math.js",
    "rating.js",
}
MODULES = sorted(
    file.relative_to(STATIC).as_posix()
    for folder in ("chat", "vendor/lit-html")
    for file in (STATIC / folder).rglob("*.js")
    if file.name not in LAZY_MODULES
)

# Not for all responses: a compressed length reveals a secret next to what an attacker chose
# (BREACH). The page shows nothing that a URL contains, and Django masks its CSRF token.
COMPRESSION = GZipMiddleware(lambda request: HttpResponse())

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
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = KEEP_FOREVER if digest == _digest_of(script) else DO_NOT_KEEP
    response["Content-Language"] = language
    return cast(HttpResponse, COMPRESSION.process_response(request, response))


def _catalogue_url() -> str:
    language = get_language() or settings.LANGUAGE_CODE
    return reverse("catalogue", args=[language, _digest_of(_catalogue_script(language))])


@cache
def _catalogue_script(language: str) -> bytes:
    request = HttpRequest()
    request.method = "GET"
    with override(language):
        response = JavaScriptCatalog.as_view(packages=["chat"])(request)
    return cast(HttpResponse, response).content


def _digest_of(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()[:16]


@require_http_methods(["GET", "HEAD", "POST"])
async def page(request: HttpRequest) -> HttpResponse:
    """Return the page; a POST with `name` starts a session and redirects with its cookie."""
    if request.method == "POST":
        return await _start_session(request)
    return await _page(request)


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
    erasure = erasure_sentence(settings.AOF_REWRITE_INTERVAL_S)
    context = {
        "name": name,
        "error": error,
        "name_max_chars": MAX_NAME_CHARS,
        "retention": retention_sentence(settings.SESSION_TTL_S),
        "erasure": erasure,
        "modules": MODULES,
        "catalogue": _catalogue_url(),
        "bootstrap": {
            "now": datetime.now(UTC).isoformat(),
            "max_message_chars": settings.MAX_MESSAGE_CHARS,
            "erasure": erasure,
            "session": session,
        },
    }
    response = render(request, "chat/page.html", context, status=status)
    response[HEADER] = build_policy(update=TRUSTED_TYPES)
    if is_unknown:
        response.delete_cookie(COOKIE, samesite="Lax")
    return cast(HttpResponse, COMPRESSION.process_response(request, response))


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
