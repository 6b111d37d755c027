"""What is done around every request: answers are counted and kept out of caches."""

import time
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from chat.observability import metrics

STORABLE = ("/static/",)
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]


@async_only_middleware
def answer_probes(get_response: AsyncHandler) -> AsyncHandler:
    """Answer machines that ask by address: they know none of the names in ALLOWED_HOSTS."""

    async def answer(request: HttpRequest) -> HttpResponse:
        if request.path not in PROBES:
            return await get_response(request)
        response: HttpResponse = await resolve(request.path).func(request)
        response["Cache-Control"] = "no-store"
        return response

    return answer


def no_store(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep answers about sessions out of every cache."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(STORABLE):
            response["Cache-Control"] = "no-store"
        return response

    return answer


Handler = Callable[[HttpRequest], HttpResponse | Awaitable[HttpResponse]]


@sync_and_async_middleware
def count(get_response: Handler) -> Handler:
    """Count answers by the URL pattern that matched, never by the path."""

    async def answer_async(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = await cast(Awaitable[HttpResponse], get_response(request))
        _count(request, response, time.perf_counter() - started_at)
        return response

    def answer(request: HttpRequest) -> HttpResponse:
        started_at = time.perf_counter()
        response = cast(HttpResponse, get_response(request))
        _count(request, response, time.perf_counter() - started_at)
        return response

    return answer_async if iscoroutinefunction(get_response) else answer


def _count(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unmatched"
    metrics.record_http_request(request.method or "", route, response.status_code, seconds)
