"""Sessions over HTTP: create, load and delete one."""

import json
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import cast
from uuid import UUID, uuid4

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router
from ninja.params.functions import Query
from pydantic import ValidationError

from chat.addresses import client_address, client_network
from chat.api.names import InvalidName, names
from chat.api.problems import InvalidRequest, Problem, Unavailable
from chat.apidocs.openapi import (
    HISTORY,
    INVALID_NAME,
    NAME_BODY,
    RATE_LIMITED,
    SESSION_UNKNOWN,
    STORE_FULL,
    STORE_UNAVAILABLE,
    BearerToken,
    QueryToken,
    response,
    responses,
)
from chat.container import async_store, limits, read_limits
from chat.errors import ChatError, SessionUnknown
from chat.events.delivery import CHANGED, publish
from chat.schemas import History, HistoryMessage, Session, session_id
from chat.store import sessions
from chat.store.paging import session_pages

logger = logging.getLogger(__name__)

router = Router(tags=["sessions"])
TOKEN = [QueryToken(), BearerToken()]
TOKEN_ERRORS = {400: SESSION_UNKNOWN, 429: RATE_LIMITED, 503: STORE_UNAVAILABLE}


@router.post(
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
)
async def create_token(
    request: HttpRequest,
    name: str = Query("", description="The visitor's name; or send it as a form or as JSON."),
) -> History:
    """Create a session and return its token."""
    wanted = name or _name_in_body(request)
    token, session = await create_session(wanted, client_address(request))
    return History(token=token, name=session.name, session_start=session.session_start, messages=[])


@router.get(
    "/refresh_token",
    summary="Load a session",
    response={200: History, 400: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {
            200: response("The session.", HISTORY),
            **TOKEN_ERRORS,
        },
    ),
)
async def refresh_token(request: HttpRequest) -> StreamingHttpResponse:
    """Return a session with all its messages."""
    token = token_of(request)
    session = session_id(str(token))
    read_limits().spend(session, client_network(request))
    pages = session_pages(async_store(), session)
    parts = _history_json(token, await anext(pages), pages)
    return StreamingHttpResponse(parts, content_type="application/json; charset=utf-8")


@router.delete(
    "/token",
    summary="Delete a session",
    response={204: None, 400: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {
            204: response("The session is deleted."),
            **TOKEN_ERRORS,
        }
    ),
)
async def delete_token(request: HttpRequest) -> tuple[HTTPStatus, None]:
    """Delete a session and everything about it, and close its sockets."""
    session = session_id(str(token_of(request)))
    read_limits().check_unknown(client_network(request))
    if not await async_store().run(sessions.erase(session)):
        raise SessionUnknown
    await publish(session, CHANGED)
    return HTTPStatus.NO_CONTENT, None


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
