"""What is done around every request: answers are counted and kept out of caches."""

import time
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from chat import metrics

STORABLE = ("/static/",)


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
    metrics.http_answered(request.method or "", route, response.status_code, seconds)
