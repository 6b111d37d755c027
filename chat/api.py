"""The HTTP API: tokens and histories. `/openapi.json` and `/docs` are generated from it."""

import json
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.params.functions import Query
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError

from chat import metrics, sessions
from chat.delivery import deliver_change
from chat.deployment import async_store, limits
from chat.errors import ChatError, RateLimited, SessionUnknown
from chat.schemas import History, HistoryMessage, Value, session_id

MAX_NAME_CHARS = 100


def _encodable(name: str) -> str:
    name.encode()
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_encodable),
]
names = TypeAdapter(Name)


class Online(Value):
    """The server answers."""

    msg: str


class InvalidField(Value):
    """Which field of a request is wrong, and what to do."""

    loc: str
    msg: str


class InvalidRequest(Value):
    """The answer to a request that cannot be read."""

    detail: InvalidField


class Refused(Value):
    """The answer to a request that cannot be done."""

    detail: str


class InvalidName(Exception):
    """The name is missing, blank or longer than MAX_NAME_CHARS."""


api = NinjaAPI(
    title="Chat",
    version="1.0.0",
    description="Tokens and histories. Messages travel over the WebSocket `/chat`.",
    urls_namespace="api",
)

TOKEN_QUERY: str = Query("", description="The session's token; or send `Authorization: Bearer`.")
NAME_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The name, where it is not in the query.",
        "content": {
            content_type: {"schema": {"type": "object", "properties": {"name": {"type": "string"}}}}
            for content_type in (
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
            )
        },
    }
}


@api.get("/test", response=Online, tags=["service"])
async def test(request: HttpRequest) -> Online:
    """Tell that the API is there."""
    return Online(msg="API is Online")


@api.post(
    "/token",
    response={200: History, 400: InvalidRequest, 429: Refused, 503: Refused},
    openapi_extra=NAME_BODY,
    tags=["sessions"],
)
async def create_token(
    request: HttpRequest,
    name: str = Query("", description="The visitor's name; or send it as a form or as JSON."),
) -> History:
    """Begin a session and return its token."""
    token = uuid4()
    session = await async_store().run(
        sessions.create(
            session_id(str(token)),
            _valid_name(name or _name_in_body(request)),
            address=request.META["REMOTE_ADDR"],
            limits=limits(),
        )
    )
    return History(token=token, name=session.name, session_start=session.session_start, messages=[])


@api.get(
    "/refresh_token",
    response={200: History, 400: Refused, 503: Refused},
    tags=["sessions"],
)
async def refresh_token(request: HttpRequest, token: str = TOKEN_QUERY) -> History:
    """Return a session with all its messages."""
    valid = _valid_token(request, token)
    session = await async_store().run(sessions.read(session_id(str(valid))))
    return History(
        token=valid,
        name=session.name,
        session_start=session.session_start,
        messages=[
            HistoryMessage.tagged(message)
            for message in session.messages
            if not message.replaced_by
        ],
    )


@api.delete("/token", response={204: None, 400: Refused, 503: Refused}, tags=["sessions"])
async def delete_token(request: HttpRequest, token: str = TOKEN_QUERY) -> tuple[HTTPStatus, None]:
    """Erase a session and everything about it, and close its sockets."""
    session = session_id(str(_valid_token(request, token)))
    if not await async_store().run(sessions.erase(session)):
        raise SessionUnknown
    await deliver_change(session)
    return HTTPStatus.NO_CONTENT, None


@api.exception_handler(InvalidName)
def tell_invalid_name(request: HttpRequest, error: InvalidName) -> HttpResponse:
    """Answer 400 with the field that is wrong."""
    detail = InvalidField(loc="name", msg="Enter a valid name")
    return api.create_response(request, InvalidRequest(detail=detail), status=400)


@api.exception_handler(ChatError)
def tell_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Answer with the error's sentence: 429 with Retry-After, 503 where it passes, else 400."""
    metrics.error_told(error.code)
    if isinstance(error, RateLimited):
        response = api.create_response(request, Refused(detail=error.detail), status=429)
        response["Retry-After"] = str(error.retry_after_s)
        return response
    status = 400 if error.permanent else 503
    return api.create_response(request, Refused(detail=error.detail), status=status)


def _valid_name(name: object) -> str:
    try:
        return names.validate_python(name)
    except ValidationError as error:
        raise InvalidName from error


def _name_in_body(request: HttpRequest) -> object:
    if request.content_type != "application/json":
        return request.POST.get("name", "")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    return body.get("name", "") if isinstance(body, dict) else ""


def _valid_token(request: HttpRequest, token: str) -> UUID:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    try:
        return UUID(token or (bearer if scheme.lower() == "bearer" else ""))
    except ValueError as error:
        raise SessionUnknown from error
