"""The HTTP API: sessions, and the health of the service.

`/openapi.json` and `/docs` are generated from it. The texts and examples that need more room are in
`chat/apidocs/openapi.py`.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, cast
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja.errors import AuthenticationError
from ninja.params.functions import Query
from ninja.security import APIKeyQuery, HttpBearer
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError

from chat.apidocs import asyncapi, openapi
from chat.apidocs.openapi import DocumentedAPI, response
from chat.container import async_store, limits
from chat.errors import ChatError, RateLimited, SessionUnknown, StoreUnavailable
from chat.events.delivery import CHANGED, publish
from chat.observability import exporter, health, metrics
from chat.schemas import FrozenModel, History, HistoryMessage, session_id
from chat.store import sessions

MAX_NAME_CHARS = 100


def _encodable(name: str) -> str:
    name.encode()
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_encodable),
]
_names = TypeAdapter(Name)


class Online(FrozenModel):
    """The API responds."""

    msg: str


class Alive(FrozenModel):
    """The web process responds."""

    status: Literal["alive"] = "alive"


class Readiness(FrozenModel):
    """The result of each health check."""

    checks: health.Checks


class FieldError(FrozenModel):
    """A field of the request, and what is wrong with it."""

    loc: str
    msg: str


class FieldErrorBody(FrozenModel):
    """The body of a response to a request with an invalid field."""

    detail: FieldError


class ErrorBody(FrozenModel):
    """The body of any other error response."""

    detail: str


class InvalidName(Exception):
    """The name is missing, blank or longer than MAX_NAME_CHARS."""


class QueryToken(APIKeyQuery):
    """The token as `?token=T`."""

    param_name = "token"

    def authenticate(self, request: HttpRequest, key: str | None) -> UUID | None:
        """Return the token; raises SessionUnknown if `key` is not a UUID."""
        return _parse_token(key) if key else None


class BearerToken(HttpBearer):
    """The token as `Authorization: Bearer T`: the better way, because URLs end up in logs."""

    def authenticate(self, request: HttpRequest, token: str) -> UUID:
        """Return the token; raises SessionUnknown if `token` is not a UUID."""
        return _parse_token(token)


INVALID_NAME = FieldErrorBody(detail=FieldError(loc="name", msg="Enter a valid name"))
TOKEN = [QueryToken(), BearerToken()]

UNKNOWN_SESSION = response(
    "The session does not exist or has expired.", ErrorBody(detail=SessionUnknown().detail)
)
STORE_UNAVAILABLE = response(
    "The server cannot reach its storage. Try again shortly.",
    ErrorBody(detail=StoreUnavailable().detail),
)
RATE_LIMITED = response(
    "This address has created too many sessions in the last minute.",
    ErrorBody(detail=RateLimited(24).detail),
    headers=openapi.RETRY_AFTER,
)

api = DocumentedAPI(
    title="Chat", version="1.0.0", description=openapi.DESCRIPTION, urls_namespace="api"
)


@api.post(
    "/token",
    summary="Create a session",
    response={200: History, 400: FieldErrorBody, 429: ErrorBody, 503: ErrorBody},
    openapi_extra={
        "responses": {
            200: response("The new session with its token.", openapi.HISTORY | {"messages": []}),
            400: response("The name is missing, blank or too long.", INVALID_NAME),
            429: RATE_LIMITED,
            503: STORE_UNAVAILABLE,
        },
        "requestBody": openapi.NAME_BODY,
    },
    tags=["sessions"],
)
async def create_token(
    request: HttpRequest,
    name: str = Query(
        "", description="The visitor's name. It can also be sent as a form field or in JSON."
    ),
) -> History:
    """Create a session and return its token."""
    return await create_session(name or _name_in_body(request), request.META["REMOTE_ADDR"])


@api.get(
    "/refresh_token",
    summary="Load a session",
    response={200: History, 400: ErrorBody, 503: ErrorBody},
    auth=TOKEN,
    openapi_extra={
        "responses": {
            200: response("The session.", openapi.HISTORY),
            400: UNKNOWN_SESSION,
            503: STORE_UNAVAILABLE,
        }
    },
    tags=["sessions"],
)
async def refresh_token(request: HttpRequest) -> History:
    """Return a session with all its messages. Replaced replies are left out."""
    token = _token_of(request)
    session = await async_store().run(sessions.load(session_id(str(token))))
    return History(
        token=token,
        name=session.name,
        session_start=session.session_start,
        messages=[
            HistoryMessage.tagged(message)
            for message in session.messages
            if not message.replaced_by
        ],
    )


@api.delete(
    "/token",
    summary="Delete a session",
    response={204: None, 400: ErrorBody, 503: ErrorBody},
    auth=TOKEN,
    openapi_extra={
        "responses": {
            204: response("The session is deleted."),
            400: UNKNOWN_SESSION,
            503: STORE_UNAVAILABLE,
        }
    },
    tags=["sessions"],
)
async def delete_token(request: HttpRequest) -> tuple[HTTPStatus, None]:
    """Delete a session with all its messages, and close its sockets."""
    session = session_id(str(_token_of(request)))
    if not await async_store().run(sessions.erase(session)):
        raise SessionUnknown
    await publish(session, CHANGED)
    return HTTPStatus.NO_CONTENT, None


async def create_session(name: object, address: str) -> History:
    """Create a session for a visitor at `address`; raises InvalidName or a ChatError."""
    try:
        valid_name = _names.validate_python(name)
    except ValidationError as error:
        raise InvalidName from error
    token = uuid4()
    command = sessions.create(session_id(str(token)), valid_name, address=address, limits=limits())
    session = await async_store().run(command)
    return History(token=token, name=session.name, session_start=session.session_start, messages=[])


@api.get(
    "/test",
    summary="Check that the API is online",
    response=Online,
    openapi_extra={"responses": {200: response("It is.", {"msg": "API is Online"})}},
    tags=["service"],
)
async def test(request: HttpRequest) -> Online:
    """Return a fixed message, without access to Redis."""
    return Online(msg="API is Online")


def get_or_head(path: str, **options: Any) -> Callable[[Any], Any]:
    """Register a GET operation that also responds to HEAD, which monitoring tools send."""

    def register(view: Any) -> Any:
        api.api_operation(["HEAD"], path, include_in_schema=False)(view)
        return api.get(path, tags=["service"], **options)(view)

    return register


@get_or_head(
    "/healthz",
    summary="Check that the web process is alive",
    response=Alive,
    openapi_extra={"responses": {200: response("The process responds.", Alive())}},
)
async def healthz(request: HttpRequest) -> JsonResponse:
    """Respond without checking anything else."""
    return JsonResponse(Alive().model_dump())


@get_or_head(
    "/readyz",
    summary="Check that new messages can be answered",
    response={200: Readiness, 503: Readiness},
    openapi_extra={
        "responses": {
            200: response(
                "New messages can be answered. Only `sweep` may differ from `ok`.",
                Readiness(checks=health.ALL_OK),
            ),
            503: response(
                "New messages cannot be answered; at least one check reports why.",
                Readiness(checks=health.NO_WORKER),
            ),
        }
    },
)
async def readyz(request: HttpRequest) -> JsonResponse:
    """Check Redis, the broker, the channel layer, the workers and the sweep."""
    checks = await health.run_checks()
    body = Readiness(checks=checks).model_dump()
    return JsonResponse(body, status=200 if checks.ready else 503)


@get_or_head(
    "/metrics",
    summary="Export the metrics of this host to Prometheus",
    openapi_extra={
        "responses": {
            200: response(
                "The metrics. They are also available while Redis or the broker is not reachable.",
                **openapi.content("text/plain", "string"),
            )
        }
    },
)
async def prometheus(request: HttpRequest) -> HttpResponse:
    """Return the metrics of all processes of this host, and the state of the cluster."""
    text, content_type = await exporter.export(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type=content_type)


@get_or_head(
    "/asyncapi.json",
    url_name="asyncapi",
    summary="Describe the WebSocket API",
    openapi_extra={
        "responses": {
            200: response(
                "An AsyncAPI 3 document.", **openapi.content("application/json", "object")
            )
        }
    },
)
async def asyncapi_json(request: HttpRequest) -> JsonResponse:
    """Return the AsyncAPI document of this server."""
    document = asyncapi.document(request.get_host(), secure=request.is_secure())
    return JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})


@api.exception_handler(InvalidName)
def handle_invalid_name(request: HttpRequest, error: InvalidName) -> HttpResponse:
    """Respond with 400 and the name of the invalid field."""
    return api.create_response(request, INVALID_NAME, status=400)


@api.exception_handler(AuthenticationError)
def handle_missing_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Respond to a request without a token as to one with an unknown token."""
    return handle_error(request, SessionUnknown())


@api.exception_handler(ChatError)
def handle_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Respond with the error's sentence: 429 with Retry-After, 400 if permanent, else 503."""
    metrics.errors_sent.labels(error.code).inc()
    body = ErrorBody(detail=error.detail)
    if isinstance(error, RateLimited):
        answer = api.create_response(request, body, status=429)
        answer["Retry-After"] = str(error.retry_after_s)
        return answer
    return api.create_response(request, body, status=400 if error.permanent else 503)


def _parse_token(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise SessionUnknown from error


def _token_of(request: HttpRequest) -> UUID:
    return cast(UUID, request.auth)  # type: ignore[attr-defined]


def _name_in_body(request: HttpRequest) -> object:
    if request.content_type != "application/json":
        return request.POST.get("name", "")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    return body.get("name", "") if isinstance(body, dict) else ""
