"""Shares over HTTP: create, list and revoke the links of a session, and read what a link shows."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from ninja import Router
from ninja.params.functions import Body
from pydantic import Field

from chat.addresses import client_address, client_network
from chat.api.problems import InvalidRequest, Problem, ShareRefused, Unavailable
from chat.api.session_routes import TOKEN, TOKEN_ERRORS, token_of
from chat.apidocs.openapi import (
    NEW_SHARE,
    RATE_LIMITED,
    SHARE,
    SHARE_INVALID,
    SHARE_REFUSED,
    SHARE_UNKNOWN,
    SHARED_CONVERSATION,
    STORE_FULL,
    STORE_UNAVAILABLE,
    response,
    responses,
)
from chat.container import async_store, read_limits, share_limits
from chat.errors import ChatError
from chat.schemas import FrozenModel, Session, Source, StoredMessage, Timestamp, session_id
from chat.store import shares
from chat.store.paging import session_pages
from chat.store.shares import NothingToShare, Share, ShareError, ShareTooLarge, ShareUnknown

logger = logging.getLogger(__name__)

router = Router(tags=["shares"])
MAX_TTL_S = 366 * 86_400
# Neither search engines nor the sites that a shared text links to learn its address.
PRIVATE_HEADERS = {"X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
# The page that shows it has no origin, so that it cannot reach the reader's own conversations.
READABLE = {"Access-Control-Allow-Origin": "*"}


class NewShare(FrozenModel):
    """What a new link shows, and how long."""

    ttl_s: float | None = Field(
        default=None,
        ge=1,
        le=MAX_TTL_S,
        description="Seconds until the link ends. It ends with the session at the latest.",
    )
    show_name: bool = Field(default=False, description="Whether the visitor's name is shown.")


class SharedLink(FrozenModel):
    """A link to a snapshot of a session. Its address is known only to those who have it."""

    id: str = Field(description="For `DELETE /share/{id}`. The address does not follow from it.")
    created: Timestamp
    ends: Timestamp | None = Field(description="Null if it ends only with the session.")
    expires_at: Timestamp = Field(description="When it ends if the session gets no more messages.")
    messages: int
    bytes: int
    show_name: bool

    @classmethod
    def of(cls, share: Share) -> "SharedLink":
        """Return a share as the HTTP API sends it."""
        return cls(
            id=share.id,
            created=share.created,
            ends=share.ends,
            expires_at=share.expires_at,
            messages=share.messages,
            bytes=share.bytes,
            show_name=share.is_named,
        )


class CreatedLink(SharedLink):
    """A new link. No other response contains its address."""

    url: str


class SharedLinks(FrozenModel):
    """The links of a session."""

    shares: list[SharedLink]


class SharedMessage(FrozenModel):
    """A message of a snapshot."""

    id: UUID
    source: Source
    msg: str
    timestamp: Timestamp
    reply_to: UUID | None
    operator: str | None = Field(
        default=None, description="For `operator`: the name of the person who wrote it."
    )


class SharedConversation(FrozenModel):
    """A snapshot of a session, without replies that failed or were replaced."""

    name: str | None = Field(description="The visitor's name, if the visitor shows it.")
    created: Timestamp
    messages: list[SharedMessage]


@router.post(
    "/share",
    summary="Create a link to the messages so far",
    response={
        201: CreatedLink,
        400: Problem | InvalidRequest,
        409: ShareRefused,
        429: Problem,
        503: Unavailable,
    },
    auth=TOKEN,
    openapi_extra=responses(
        {
            201: response("The link with its address.", NEW_SHARE),
            400: SHARE_INVALID,
            409: SHARE_REFUSED,
            429: RATE_LIMITED,
            503: STORE_FULL,
        }
    ),
)
async def create_share(
    request: HttpRequest,
    wanted: NewShare | None = Body(None),  # noqa: B008 django-ninja's way
) -> tuple[HTTPStatus, CreatedLink]:
    """Store a snapshot of a session and return a link to it."""
    wanted = wanted or NewShare()
    session = session_id(str(token_of(request)))
    read_limits().spend(session, client_network(request))
    lines, messages = await _snapshot(session, wanted.show_name)
    secret = shares.new_secret(session)
    command = shares.create(
        session,
        shares.share_id(secret),
        lines,
        messages=messages,
        is_named=wanted.show_name,
        ttl_s=wanted.ttl_s,
        address=client_address(request),
        limits=share_limits(),
    )
    link = SharedLink.of(await async_store().run(command))
    url = request.build_absolute_uri(reverse("shared-page", args=[secret]))
    return HTTPStatus.CREATED, CreatedLink(url=url, **dict(link))


@router.get(
    "/share",
    summary="List the links of a session",
    response={200: SharedLinks, 400: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {200: response("The links that have not ended.", {"shares": [SHARE]}), **TOKEN_ERRORS}
    ),
)
async def list_shares(request: HttpRequest) -> SharedLinks:
    """Return the links of a session that have not ended, oldest first."""
    session = session_id(str(token_of(request)))
    read_limits().check_unknown(client_network(request))
    found = await async_store().run(shares.load_all(session))
    return SharedLinks(shares=list(map(SharedLink.of, found)))


@router.delete(
    "/share/{share}",
    summary="Revoke a link",
    response={204: None, 400: Problem, 404: Problem, 429: Problem, 503: Unavailable},
    auth=TOKEN,
    openapi_extra=responses(
        {204: response("The link is revoked."), 404: SHARE_UNKNOWN, **TOKEN_ERRORS}
    ),
)
async def revoke_share(request: HttpRequest, share: str) -> tuple[HTTPStatus, None]:
    """Delete a link of this session with its snapshot."""
    session = session_id(str(token_of(request)))
    read_limits().check_unknown(client_network(request))
    await async_store().run(shares.revoke(session, share))
    return HTTPStatus.NO_CONTENT, None


@router.get(
    "/s/{secret}.json",
    summary="Load a shared conversation",
    response={200: SharedConversation, 404: Problem, 429: Problem, 503: Unavailable},
    openapi_extra=responses(
        {
            200: response("The snapshot.", SHARED_CONVERSATION),
            404: SHARE_UNKNOWN,
            429: RATE_LIMITED,
            503: STORE_UNAVAILABLE,
        }
    ),
)
async def shared_conversation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Return the snapshot behind a link, to anybody who has its address."""
    read_limits().spend_shared(client_network(request))
    parts = shares.snapshot_parts(async_store(), shares.share_id(secret))
    body = _until_error(await anext(parts), parts)
    return StreamingHttpResponse(
        body, content_type="application/json; charset=utf-8", headers=PRIVATE_HEADERS | READABLE
    )


async def check_share(request: HttpRequest, secret: str) -> None:
    """Check that a link shows something; raises ShareUnknown, RateLimited and StoreUnavailable."""
    network = client_network(request)
    read_limits().check_unknown(network)
    try:
        await async_store().run(shares.session_of(shares.share_id(secret)))
    except ShareUnknown:
        read_limits().count_unknown(network)
        raise


async def _snapshot(session: str, show_name: bool) -> tuple[list[str], int]:
    """Return the lines of a `SharedConversation`, one for each page, and how many messages it has.

    Raises SessionUnknown, NothingToShare and ShareTooLarge.
    """
    lines: list[str] = []
    messages = size = 0
    async for page in session_pages(async_store(), session):
        shown = [_public_json(message) for message in page.messages if _is_shown(message)]
        if not shown:
            continue
        line = ",".join(shown)
        lines.append(f",{line}" if lines else _head(page, show_name) + line)
        messages += len(shown)
        size += len(lines[-1].encode())
        if size > share_limits().bytes:
            raise ShareTooLarge
    if not lines:
        raise NothingToShare
    lines[-1] += "]}"
    return lines, messages


def _head(session: Session, show_name: bool) -> str:
    head = SharedConversation(
        name=session.name if show_name else None,
        created=session.expires_at - timedelta(seconds=session.remaining_s),  # now, by Redis' clock
        messages=[],
    )
    return head.model_dump_json().removesuffix("]}")


def _is_shown(message: StoredMessage) -> bool:
    is_empty = message.finish_reason == "answered_together"
    return not (message.replaced_by or message.error or is_empty)


def _public_json(message: StoredMessage) -> str:
    values = {name: getattr(message, name) for name in SharedMessage.model_fields}
    return SharedMessage.model_construct(**values).model_dump_json()


async def _until_error(first: str, others: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the parts of a snapshot; after an error it ends early, so that no parser accepts it."""
    yield first
    try:
        async for part in others:
            yield part
    except (ChatError, ShareError) as error:
        logger.warning("A shared conversation was not sent to its end: %s", type(error).__name__)
