"""What a request that fails receives."""

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, ValidationError

from chat.addresses import client_network
from chat.api.names import INVALID_NAME_MSG, INVISIBLE_NAME_MSG, InvalidName
from chat.container import read_limits
from chat.errors import ChatError, ErrorCode, RateLimited, SessionUnknown, StoreFull
from chat.observability import metrics
from chat.schemas import FrozenModel
from chat.store.shares import ShareError, ShareRefusal


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


class ShareRefused(Problem):
    """Why a session cannot be shared now."""

    reason: Literal["empty", "too_many", "too_large"]


def handle_invalid_name(request: HttpRequest, error: InvalidName) -> HttpResponse:
    """Respond with 400 and the invalid field."""
    msg = INVISIBLE_NAME_MSG if error.is_invisible else INVALID_NAME_MSG
    detail = InvalidField(loc="name", msg=msg)
    return _response(InvalidRequest(detail=detail), 400)


def handle_invalid_request(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Respond with 400 and the first invalid field."""
    first = error.errors[0]
    return _response(
        InvalidRequest(detail=InvalidField(loc=str(first["loc"][-1]), msg=first["msg"])), 400
    )


def handle_missing_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Respond to a request without a token like to one with an unknown token."""
    return handle_chat_error(request, SessionUnknown())


def handle_chat_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Respond with the error's sentence: 429 if too frequent, 503 if temporary, else 400."""
    metrics.errors_sent.labels(error.code).inc()
    if isinstance(error, SessionUnknown):
        read_limits().count_unknown(client_network(request))
    if isinstance(error, RateLimited):
        response = _response(Problem(detail=error.detail), 429)
    elif error.permanent:
        response = _response(Problem(detail=error.detail), 400)
    else:
        response = _response(Unavailable(detail=error.detail, code=error.code), 503)
    if isinstance(error, RateLimited | StoreFull):
        response["Retry-After"] = str(error.retry_after_s)
    return response


def handle_share_error(request: HttpRequest, error: ShareError) -> HttpResponse:
    """Respond with 404 if the share does not exist, with 409 and why if none can be created."""
    if isinstance(error, ShareRefusal):
        return _response(ShareRefused(detail=error.detail, reason=error.reason), 409)
    read_limits().count_unknown(client_network(request))
    return _response(Problem(detail=error.detail), 404)


def _response(body: FrozenModel, status: int) -> HttpResponse:
    content_type = "application/json; charset=utf-8"
    return HttpResponse(body.model_dump_json(), content_type=content_type, status=status)
