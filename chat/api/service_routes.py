"""The state of the service: for monitors, load balancers and authors of clients."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.params.functions import Query

from chat.api.problems import InvalidRequest
from chat.apidocs.openapi import JSON_OBJECT, PROMETHEUS_TEXT, response, responses
from chat.apidocs.reference import asyncapi_json
from chat.observability import exporter
from chat.observability.health import (
    OK,
    Checks,
    MemoryUse,
    WebChecks,
    can_serve,
    check_all,
    check_web,
    is_ready,
    load_memory,
)
from chat.schemas import FrozenModel

Operation = TypeVar("Operation", bound=Callable[..., Any])

router = Router(tags=["service"])
MEMORY_USE = {"used_bytes": 314_572_800, "max_bytes": 1_073_741_824, "full_in_s": 86_400}
ALL_CHECKS = dict.fromkeys(Checks.model_fields, OK)
ALL_OK = {"checks": ALL_CHECKS, "memory": MEMORY_USE}
NO_WORKER = {
    "checks": ALL_CHECKS | {"worker": "no heartbeat for 10 s"},
    "memory": MEMORY_USE,
}
INVALID_FOR = {"detail": {"loc": "for", "msg": "Input should be 'web'"}}


ALIVE = {"status": "alive", "version": settings.VERSION}


class Online(FrozenModel):
    """The server is online."""

    msg: str


class Alive(FrozenModel):
    """The process is alive."""

    status: Literal["alive"]
    version: str


class Readiness(FrozenModel):
    """Each component's state: `ok`, or what is wrong. `memory` is null if Redis has no limit."""

    checks: Checks
    memory: MemoryUse | None


class WebReadiness(FrozenModel):
    """The part of it that a web process needs to serve the page and histories."""

    checks: WebChecks


def get_and_head(path: str, summary: str, **options: Any) -> Callable[[Operation], Operation]:
    """Register a page of the service. Monitors also use HEAD, which the description leaves out."""

    def register(view: Operation) -> Operation:
        router.api_operation(["HEAD"], path, include_in_schema=False)(view)
        return router.get(path, summary=summary, **options)(view)

    return register


@router.get(
    "/test",
    summary="Health check",
    response=Online,
    openapi_extra=responses({200: response("The API is online.", {"msg": "API is Online"})}),
)
async def test(request: HttpRequest) -> Online:
    """Return a fixed response."""
    return Online(msg="API is Online")


@get_and_head(
    "/healthz",
    "Liveness check",
    response=Alive,
    openapi_extra=responses({200: response("The process is alive.", ALIVE)}),
)
async def healthz(request: HttpRequest) -> Alive:
    """Return as long as the event loop runs."""
    return Alive(status="alive", version=settings.VERSION)


@get_and_head(
    "/readyz",
    "Readiness check",
    response={
        200: Readiness | WebReadiness,
        400: InvalidRequest,
        503: Readiness | WebReadiness,
    },
    openapi_extra=responses(
        {
            200: response("New messages are answered.", ALL_OK),
            400: response("`for` has an unknown value.", INVALID_FOR),
            503: response("New messages are not answered, and why.", NO_WORKER),
        }
    ),
)
async def readyz(
    request: HttpRequest,
    user: Literal["web"] | None = Query(
        None,
        alias="for",
        description="`web`: only what a web process needs to serve the page and histories, for load"
        " balancers. Without it: everything that is needed to answer new messages.",
    ),
) -> tuple[int, Readiness | WebReadiness]:
    """Check every component, or those that a web process needs."""
    if user == "web":
        needed = await check_web()
        return (200 if can_serve(needed) else 503), WebReadiness(checks=needed)
    checks, memory = await asyncio.gather(check_all(), load_memory())
    return (200 if is_ready(checks) else 503), Readiness(checks=checks, memory=memory)


@get_and_head(
    "/metrics",
    "Metrics of this host in Prometheus' format",
    openapi_extra=responses({200: PROMETHEUS_TEXT}),
)
async def prometheus_metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this host's processes and of the deployment."""
    return await exporter.scrape(request)


@get_and_head(
    "/asyncapi.json",
    "The WebSocket API in AsyncAPI 3",
    openapi_extra=responses({200: JSON_OBJECT}),
    url_name="asyncapi",
)
def asyncapi(request: HttpRequest) -> HttpResponse:
    """Return the AsyncAPI document."""
    return asyncapi_json(request)
