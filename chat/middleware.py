"""Middleware: probes, `Cache-Control` and metrics of HTTP requests."""

import time
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from chat.observability import metrics

CACHEABLE = ("/static/",)
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]


@async_only_middleware
def bypass_for_probes(get_response: AsyncHandler) -> AsyncHandler:
    """Call the views of probes before the Host check: probes send an IP address as the host."""

    async def handle(request: HttpRequest) -> HttpResponse:
        if request.path not in PROBES:
            return await get_response(request)
        response: HttpResponse = await resolve(request.path).func(request)
        response["Cache-Control"] = "no-store"
        return response

    return handle


def no_store(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Forbid caches to store responses, except those of static files."""

    def handle(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(CACHEABLE):
            response["Cache-Control"] = "no-store"
        return response

    return handle


Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]


@sync_and_async_middleware
def count_responses(get_response: Handler) -> Handler:
    """Count responses and their duration by URL pattern, because paths are unbounded."""

    async def handle_async(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = await cast(Awaitable[HttpResponse], get_response(request))
        _count(request, response, time.perf_counter() - started_at)
        return response

    def handle(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = cast(HttpResponse, get_response(request))
        _count(request, response, time.perf_counter() - started_at)
        return response

    return handle_async if iscoroutinefunction(get_response) else handle


def _count(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unmatched"
    metrics.record_http_request(request.method or "", route, response.status_code, seconds)
