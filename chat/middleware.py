"""Middleware: health checks of unknown hosts, metrics of responses, and caching."""

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
def probes_on_any_host(get_response: AsyncHandler) -> AsyncHandler:
    """Respond to probes before ALLOWED_HOSTS is checked: load balancers use IP addresses."""

    async def respond(request: HttpRequest) -> HttpResponse:
        if request.path not in PROBES:
            return await get_response(request)
        match = resolve(request.path)
        response: HttpResponse = await match.func(request, *match.args, **match.kwargs)
        response["Cache-Control"] = "no-store"
        return response

    return respond


def no_store(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep responses out of every cache, except static files."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(CACHEABLE):
            response["Cache-Control"] = "no-store"
        return response

    return respond


Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]


@sync_and_async_middleware
def request_metrics(get_response: Handler) -> Handler:
    """Count and time requests by URL pattern, never by path."""

    async def respond_async(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = await cast(Awaitable[HttpResponse], get_response(request))
        _record(request, response, time.perf_counter() - started_at)
        return response

    def respond(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = cast(HttpResponse, get_response(request))
        _record(request, response, time.perf_counter() - started_at)
        return response

    return respond_async if iscoroutinefunction(get_response) else respond


def _record(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unmatched"
    metrics.record_http_request(request.method or "", route, response.status_code, seconds)
