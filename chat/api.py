"""The HTTP API: tokens, histories and the service's own state, described at `/openapi.json`."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar, cast
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja.errors import AuthenticationError
from ninja.params.functions import Query
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from chat.apidocs.openapi import (
    DESCRIPTION,
    HISTORY,
    INVALID_NAME,
    JSON_OBJECT,
    NAME_BODY,
    PROMETHEUS_TEXT,
    RATE_LIMITED,
    SESSION_UNKNOWN,
    STORE_FULL,
    STORE_UNAVAILABLE,
    BearerToken,
    ChatApi,
    QueryToken,
    response,
    responses,
)
from chat.apidocs.reference import asyncapi_json
from chat.container import async_store, limits, read_limits
from chat.errors import ChatError, ErrorCode, RateLimited, SessionUnknown, StoreFull
from chat.events.delivery import CHANGED, publish
from chat.observability import exporter, metrics
from chat.observability.health import (
    OK,
    Checks,
    MemoryUse,
    check_all,
    is_ready,
    load_memory,
)
from chat.schemas import (
    FrozenModel,
    History,
    HistoryMessage,
    Session,
    has_invisible,
    session_id,
)
from chat.store import sessions
from chat.store.keys import network_of
from chat.store.paging import session_pages

logger = logging.getLogger(__name__)

Operation = TypeVar("Operation", bound=Callable[..., Any])

MAX_NAME_CHARS = 100


INVALID_NAME_MSG = "Enter a valid name"
INVISIBLE_NAME_MSG = "Enter a name without control or text direction characters"


def _encodable(name: str) -> str:
    name.encode()
    return name


def _visible(name: str) -> str:
    if has_invisible(name):
        raise PydanticCustomError("name_invisible", "control or direction characters")
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_encodable),
    AfterValidator(_visible),
]
names = TypeAdapter(Name)


class Online(FrozenModel):
    """The server is online."""

    msg: str


class Alive(FrozenModel):
    """The process is alive."""

    status: Literal["alive"]


class Readiness(FrozenModel):
    """Each component's state: `ok`, or what is wrong. `memory` is null if Redis has no limit."""

    checks: Checks
    memory: MemoryUse | None


class InvalidField(FrozenModel):
    """Which field of a request is invalid, and what to do."""

    loc: str
    msg: str


class InvalidRequest(FrozenModel):
    """A request with an invalid field."""

    detail: InvalidField


class Problem(FrozenModel):
    """Why a request failed."""

    detail: str


class Unavailable(Problem):
    """Why a request failed that may succeed later; `code` is one of the WebSocket API's."""

    code: ErrorCode


class InvalidName(Exception):
    """The name is missing, blank or longer than MAX_NAME_CHARS, or has invisible characters."""

    def __init__(self, error: ValidationError) -> None:
        super().__init__(INVALID_NAME_MSG)
        self.is_invisible = error.errors(include_input=False)[0]["type"] == "name_invisible"


api = ChatApi(title="Chat", version="1.0.0", description=DESCRIPTION, urls_namespace="api")
TOKEN = [QueryToken(), BearerToken()]
MEMORY_USE = {"used_bytes": 314_572_800, "max_bytes": 1_073_741_824, "full_in_s": 86_400}
ALL_CHECKS = dict.fromkeys(Checks.model_fields, OK)
ALL_OK = {"checks": ALL_CHECKS, "memory": MEMORY_USE}
NO_WORKER = {
    "checks": ALL_CHECKS | {"worker": "no heartbeat for 10 s"},
    "memory": MEMORY_USE,
}


def get_and_head(path: str, summary: str, **options: Any) -> Callable[[Operation], Operation]:
    """Register a page of the service. Monitors also use HEAD, which the description leaves out."""

    def register(view: Operation) -> Operation:
        api.api_operation(["HEAD"], path, include_in_schema=False)(view)
        return api.get(path, summary=summary, tags=["service"], **options)(view)

    return register


@api.get(
    "/test",
    summary="Health check",
    response=Online,
    openapi_extra=responses({200: response("The API is online.", {"msg": "API is Online"})}),
    tags=["service"],
)
async def test(request: HttpRequest) -> Online:
    """Return a fixed response."""
    return Online(msg="API is Online")


@get_and_head(
    "/healthz",
    "Liveness check",
    response=Alive,
    openapi_extra=responses({200: response("The process is alive.", {"status": "alive"})}),
)
async def healthz(request: HttpRequest) -> Alive:
    """Return as long as the event loop runs."""
    return Alive(status="alive")


@get_and_head(
    "/readyz",
    "Readiness check",
    response={200: Readiness, 503: Readiness},
    openapi_extra=responses(
        {
            200: response("New messages are answered.", ALL_OK),
            503: response("New messages are not answered, and why.", NO_WORKER),
        }
    ),
)
async def readyz(request: HttpRequest) -> tuple[int, Readiness]:
    """Check every component."""
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


@api.post(
    "/token",
    summary="Create a session",
    response={200: History, 400: InvalidRequest, 429: Problem, 503: Unavailable},
    openapi_extra=responses(
        {
            200: response("The session with its token.", HISTORY | {"messages": []}),
            400: INVALID_NAME,
            429: RATE_LIMITED,
            503: STORE_FULL,
        },
        requestBody=NAME_BODY,
    ),
    tags=["sessions"],
)
async def create_token(
    request: HttpRequest,
    name: str = Query("", description="The visitor's name; or send it as a form or as JSON."),
) -> History:
    """Create a session and return its token."""
    address = request.META["REMOTE_ADDR"]
    token, session = await create_session(name or _name_in_body(request), address)
    return History(token=token, name=session.name, session_start=session.session_start, messages=[])


@api.get(
    "/refresh_token",
    summary="Load a session",
    response={200: History, 400: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {
            200: response("The session.", HISTORY),
            400: SESSION_UNKNOWN,
            429: RATE_LIMITED,
            503: STORE_UNAVAILABLE,
        },
    ),
    tags=["sessions"],
)
async def refresh_token(request: HttpRequest) -> StreamingHttpResponse:
    """Return a session with all its messages."""
    token = token_of(request)
    session = session_id(str(token))
    read_limits().spend(session, network_of(request.META["REMOTE_ADDR"]))
    pages = session_pages(async_store(), session)
    parts = _history_json(token, await anext(pages), pages)
    return StreamingHttpResponse(parts, content_type="application/json; charset=utf-8")


@api.delete(
    "/token",
    summary="Delete a session",
    response={204: None, 400: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {
            204: response("The session is deleted."),
            400: SESSION_UNKNOWN,
            429: RATE_LIMITED,
            503: STORE_UNAVAILABLE,
        }
    ),
    tags=["sessions"],
)
async def delete_token(request: HttpRequest) -> tuple[HTTPStatus, None]:
    """Delete a session and everything about it, and close its sockets."""
    session = session_id(str(token_of(request)))
    read_limits().check_unknown(network_of(request.META["REMOTE_ADDR"]))
    if not await async_store().run(sessions.erase(session)):
        raise SessionUnknown
    await publish(session, CHANGED)
    return HTTPStatus.NO_CONTENT, None


@api.exception_handler(InvalidName)
def handle_invalid_name(request: HttpRequest, error: InvalidName) -> HttpResponse:
    """Respond with 400 and the invalid field."""
    msg = INVISIBLE_NAME_MSG if error.is_invisible else INVALID_NAME_MSG
    detail = InvalidField(loc="name", msg=msg)
    return api.create_response(request, InvalidRequest(detail=detail), status=400)


@api.exception_handler(AuthenticationError)
def handle_missing_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Respond to a request without a token like to one with an unknown token."""
    return handle_chat_error(request, SessionUnknown())


@api.exception_handler(ChatError)
def handle_chat_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Respond with the error's sentence: 429 if too frequent, 503 if temporary, else 400."""
    metrics.errors_sent.labels(error.code).inc()
    if isinstance(error, SessionUnknown):
        read_limits().count_unknown(network_of(request.META["REMOTE_ADDR"]))
    if isinstance(error, RateLimited):
        response = api.create_response(request, Problem(detail=error.detail), status=429)
    elif error.permanent:
        response = api.create_response(request, Problem(detail=error.detail), status=400)
    else:
        problem = Unavailable(detail=error.detail, code=error.code)
        response = api.create_response(request, problem, status=503)
    if isinstance(error, RateLimited | StoreFull):
        response["Retry-After"] = str(error.retry_after_s)
    return response


def token_of(request: HttpRequest) -> UUID:
    """Return the token that the request's authentication found."""
    return cast(UUID, request.auth)  # type: ignore[attr-defined]


async def create_session(name: object, address: str) -> tuple[UUID, Session]:
    """Create a session; return its token and the session.

    Raises InvalidName, RateLimited, StoreFull and StoreUnavailable.
    """
    try:
        valid_name = names.validate_python(name)
    except ValidationError as error:
        raise InvalidName(error) from error
    token = uuid4()
    command = sessions.create(session_id(str(token)), valid_name, address=address, limits=limits())
    return token, await async_store().run(command)


async def _history_json(
    token: UUID, first: Session, others: AsyncIterator[Session]
) -> AsyncIterator[str]:
    """Yield the JSON of a `History`, without replaced replies.

    If a later page cannot be loaded, it ends early, so that no parser accepts it.
    """
    head = History(token=token, name=first.name, session_start=first.session_start, messages=[])
    yield head.model_dump_json().removesuffix("]}")
    separator = ""
    page: Session | None = first
    try:
        while page:
            shown = [message for message in page.messages if not message.replaced_by]
            if shown:
                parts = (HistoryMessage.tagged(message).model_dump_json() for message in shown)
                yield separator + ",".join(parts)
                separator = ","
            page = await anext(others, None)
    except ChatError as error:
        logger.warning("A session was not sent to its end: %s", error.code)
        return
    yield "]}"


def _name_in_body(request: HttpRequest) -> object:
    if request.content_type != "application/json":
        return request.POST.get("name", "")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    return body.get("name", "") if isinstance(body, dict) else ""
