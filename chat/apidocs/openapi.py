"""What `/openapi.json` contains beyond the signatures in `chat/api`: examples and errors."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.security import APIKeyQuery, HttpBearer

from chat.errors import RateLimited, SessionUnknown, StoreFull, StoreUnavailable
from chat.schemas import parse_uuid
from chat.store.shares import ShareUnknown, TooManyShares

OpenApi = dict[str, Any]

DESCRIPTION = """\
Create a session, load its history, share it, delete it. The conversation itself uses the WebSocket
`/chat`: see [/docs/websocket](/docs/websocket) and [/asyncapi.json](/asyncapi.json).
"""

HISTORY = {
    "token": "8b9f3c52-2f0e-4c39-9d0a-6c3f0f1d7a11",
    "name": "Ada",
    "session_start": "2026-03-01T09:30:00.000Z",
    "messages": [
        {
            "id": "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d001",
            "seq": 1,
            "source": "human",
            "msg": "Human: Good morning!",
            "timestamp": "2026-03-01T09:30:04.120Z",
            "reply_to": None,
        },
        {
            "id": "f068d72f-92da-4b0a-bd64-a7817fc8d345",
            "seq": 2,
            "source": "bot",
            "msg": "Bot: Good morning, Ada!",
            "timestamp": "2026-03-01T09:30:05.020Z",
            "reply_to": "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d001",
            "finish_reason": "stop",
            "pieces": 5,
            "timings": {"queued_ms": 3, "first_token_ms": 210, "total_ms": 900},
        },
    ],
}


def response(description: str, example: Any = None, **more: Any) -> OpenApi:
    """Describe a response, with an example of its JSON body if it has one."""
    if example is None:
        return {"description": description, **more}
    content = {"application/json": {"example": example}}
    return {"description": description, "content": content, **more}


SESSION_UNKNOWN = response(
    "The session does not exist or has expired.", {"detail": SessionUnknown.detail}
)
STORE_UNAVAILABLE = response(
    "The server cannot reach its storage. Try again shortly.",
    {"detail": StoreUnavailable.detail, "code": StoreUnavailable.code},
)
STORE_FULL = response(
    "The server cannot reach its storage, or it is almost full.",
    {"detail": StoreFull.detail, "code": StoreFull.code},
    headers={
        "Retry-After": {
            "description": "Seconds after which to try again, if it is almost full.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
)
RATE_LIMITED = response(
    "Too many requests from this address, or about this session, within a minute.",
    {"detail": RateLimited(24).detail},
    headers={
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
)
SHARE = {
    "id": "0f0c1b5d9a3e4f6c8b7a6d5e4f3c2b1a",
    "created": "2026-03-01T09:31:00.000Z",
    "ends": "2026-03-01T10:31:00.000Z",
    "expires_at": "2026-03-01T10:30:05.020Z",
    "messages": 2,
    "bytes": 412,
    "show_name": False,
}
NEW_SHARE = SHARE | {"url": "https://chat.example/s/c4a1e6f0-93b2-7d58-21c7-5be0f9d3a864"}
SHARED_CONVERSATION = {
    "name": None,
    "created": "2026-03-01T09:31:00.000Z",
    "messages": [
        {
            "id": "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d001",
            "source": "human",
            "msg": "Good morning!",
            "timestamp": "2026-03-01T09:30:04.120Z",
            "reply_to": None,
        },
        {
            "id": "f068d72f-92da-4b0a-bd64-a7817fc8d345",
            "source": "bot",
            "msg": "Good morning, Ada!",
            "timestamp": "2026-03-01T09:30:05.020Z",
            "reply_to": "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d001",
        },
    ],
}
SHARE_UNKNOWN = response(
    "The link does not exist, has ended or was revoked.", {"detail": ShareUnknown.detail}
)
SHARE_INVALID = response(
    "The session does not exist or has expired, or the body is not valid.",
    {"detail": SessionUnknown.detail},
)
SHARE_REFUSED = response(
    "The session has no messages, too many links, or is too long to be shared.",
    {"detail": TooManyShares.detail, "reason": TooManyShares.reason},
)
INVALID_NAME = response(
    "The name is missing, blank, or too long, or has control or text direction characters.",
    {"detail": {"loc": "name", "msg": "Enter a valid name"}},
)
NAME_BODY: OpenApi = {
    "description": "The name, if it is not in the query.",
    "content": {
        content_type: {"schema": {"type": "object", "properties": {"name": {"type": "string"}}}}
        for content_type in (
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        )
    },
}
PROMETHEUS_TEXT = response(
    "Also while Redis or the broker cannot be reached.",
    content={"text/plain": {"schema": {"type": "string"}}},
)
JSON_OBJECT = response(
    "The AsyncAPI document.", content={"application/json": {"schema": {"type": "object"}}}
)


def responses(described: dict[int, OpenApi], **more: Any) -> OpenApi:
    """Return the `openapi_extra` of an operation."""
    return {"responses": described, **more}


class QueryToken(APIKeyQuery):
    """The token as `?token=T`."""

    param_name = "token"

    def authenticate(self, request: HttpRequest, key: str | None) -> UUID | None:
        """Return the token; raises SessionUnknown if it is malformed."""
        return parse_token(key) if key else None


class BearerToken(HttpBearer):
    """The token as `Authorization: Bearer T`: safer, because URLs end up in logs."""

    def authenticate(self, request: HttpRequest, token: str) -> UUID:
        """Return the token; raises SessionUnknown if it is malformed."""
        return parse_token(token)


def parse_token(text: str) -> UUID:
    """Return the token in `text`; raises SessionUnknown if it is malformed."""
    try:
        return parse_uuid(text)
    except ValueError as error:
        raise SessionUnknown from error


class ChatApi(NinjaAPI):
    """The API; its operations are named after their functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__
