"""The HTTP API: tokens and histories. `/openapi.json` and `/docs` are generated from it."""

import json
from http import HTTPStatus
from typing import Annotated, cast
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from ninja.errors import AuthenticationError
from ninja.params.functions import Query
from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError

from chat.apidocs.openapi import (
    DESCRIPTION,
    HISTORY,
    INVALID_NAME,
    NAME_BODY,
    NO_STORE,
    TOO_FAST,
    UNKNOWN,
    BearerToken,
    DescribedApi,
    QueryToken,
    answers,
    said,
)
from chat.container import async_store, limits
from chat.errors import ChatError, RateLimited, SessionUnknown
from chat.events.delivery import CHANGED, publish
from chat.observability import metrics
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
names = TypeAdapter(Name)


class Online(FrozenModel):
    """The server answers."""

    msg: str


class InvalidField(FrozenModel):
    """Which field of a request is wrong, and what to do."""

    loc: str
    msg: str


class InvalidRequest(FrozenModel):
    """The answer to a request that cannot be read."""

    detail: InvalidField


class Refused(FrozenModel):
    """The answer to a request that cannot be done."""

    detail: str


class InvalidName(Exception):
    """The name is missing, blank or longer than MAX_NAME_CHARS."""


api = DescribedApi(
    title="Chat",
    version="1.0.0",
    description=DESCRIPTION,
    urls_namespace="api",
)
TOKEN = [QueryToken(), BearerToken()]


@api.get(
    "/test",
    summary="Tell that the API is there",
    response=Online,
    openapi_extra=answers({200: said("It is.", {"msg": "API is Online"})}),
    tags=["service"],
)
async def test(request: HttpRequest) -> Online:
    """Tell that the API is there."""
    return Online(msg="API is Online")


@api.post(
    "/token",
    summary="Begin a session",
    response={200: History, 400: InvalidRequest, 429: Refused, 503: Refused},
    openapi_extra=answers(
        {
            200: said("The session with its token.", HISTORY | {"messages": []}),
            400: INVALID_NAME,
            429: TOO_FAST,
            503: NO_STORE,
        },
        requestBody=NAME_BODY,
    ),
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
    summary="Read a session",
    response={200: History, 400: Refused, 503: Refused},
    auth=TOKEN,
    openapi_extra=answers(
        {200: said("The session.", HISTORY), 400: UNKNOWN, 503: NO_STORE},
    ),
    tags=["sessions"],
)
async def refresh_token(request: HttpRequest) -> History:
    """Return a session with all its messages."""
    token = token_of(request)
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
    summary="Erase a session",
    response={204: None, 400: Refused, 503: Refused},
    auth=TOKEN,
    openapi_extra=answers({204: said("It is gone."), 400: UNKNOWN, 503: NO_STORE}),
    tags=["sessions"],
)
async def delete_token(request: HttpRequest) -> tuple[HTTPStatus, None]:
    """Erase a session and everything about it, and close its sockets."""
    session = session_id(str(token_of(request)))
    if not await async_store().run(sessions.erase(session)):
        raise SessionUnknown
    await publish(session, CHANGED)
    return HTTPStatus.NO_CONTENT, None


@api.exception_handler(InvalidName)
def tell_invalid_name(request: HttpRequest, error: InvalidName) -> HttpResponse:
    """Answer 400 with the field that is wrong."""
    detail = InvalidField(loc="name", msg="Enter a valid name")
    return api.create_response(request, InvalidRequest(detail=detail), status=400)


@api.exception_handler(AuthenticationError)
def tell_missing_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Answer a request without a token like one with a token nobody knows."""
    return tell_error(request, SessionUnknown())


@api.exception_handler(ChatError)
def tell_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Answer with the error's sentence: 429 with Retry-After, 503 where it passes, else 400."""
    metrics.error_sent(error.code)
    if isinstance(error, RateLimited):
        response = api.create_response(request, Refused(detail=error.detail), status=429)
        response["Retry-After"] = str(error.retry_after_s)
        return response
    status = 400 if error.permanent else 503
    return api.create_response(request, Refused(detail=error.detail), status=status)


def token_of(request: HttpRequest) -> UUID:
    """Return the token that the request's authentication found."""
    return cast(UUID, request.auth)  # type: ignore[attr-defined]


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
