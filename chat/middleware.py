"""Middleware: metrics, caching, time zones, and health checks before the host name check."""

import time
import zoneinfo
from collections.abc import Awaitable, Callable
from functools import cache
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils import timezone
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from chat.observability import metrics

CACHEABLE = (
    "/static/",
    "/catalogue/",
    "/branding/",
    "/embed.js",
    "/manifest/",
    "/offline/",
    "/service-worker.js",
)
# Cache-Control of a URL with a digest of its content, and of one with the digest of another
# release, which is requested while processes are replaced.
KEEP_FOREVER = "max-age=31536000, public, immutable"
DO_NOT_KEEP = "no-cache"
KEEP_FOR_A_DAY = "max-age=86400, public"
TIMEZONE_COOKIE = "timezone"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]
SyncHandler = Callable[[HttpRequest], HttpResponse]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]


@async_only_middleware
def respond_to_probes(get_response: AsyncHandler) -> AsyncHandler:
    """Respond to health checks and scrapes, whose host names ALLOWED_HOSTS does not list."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        if request.path not in PROBES:
            return await get_response(request)
        match = resolve(request.path)
        response: HttpResponse = await match.func(request, *match.args, **match.kwargs)
        response["Cache-Control"] = "no-store"
        return response

    return middleware


def use_browser_timezone(get_response: SyncHandler) -> SyncHandler:
    """Show times in the zone that the admin's script found in the browser; in UTC without it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(TIMEZONE_COOKIE, "")
        with timezone.override(zoneinfo.ZoneInfo(name) if name in _timezones() else None):
            return get_response(request)

    return middleware


@cache
def _timezones() -> set[str]:
    return zoneinfo.available_timezones()


def no_store(get_response: SyncHandler) -> SyncHandler:
    """Forbid caching, because responses may contain sessions."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(CACHEABLE):
            response["Cache-Control"] = "no-store"
        return response

    return middleware


@sync_and_async_middleware
def record_requests(get_response: Handler) -> Handler:
    """Record each request under the URL pattern that matched, never under its path."""

    async def async_middleware(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = await cast(Awaitable[HttpResponse], get_response(request))
        _record(request, response, time.perf_counter() - started_at)
        return response

    def sync_middleware(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = cast(HttpResponse, get_response(request))
        _record(request, response, time.perf_counter() - started_at)
        return response

    return async_middleware if iscoroutinefunction(get_response) else sync_middleware


def _record(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unmatched"
    metrics.record_http_request(request.method or "", route, response.status_code, seconds)
