"""What `/openapi.json` says beyond what the operations of `chat/api.py` say themselves."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.security import APIKeyQuery, HttpBearer

from chat.errors import SessionUnknown
from chat.observability.health import CHECKS, OK

Extra = dict[str, Any]

DESCRIPTION = """\
Begin a session, read its history, erase it. The conversation itself travels over the WebSocket
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


def said(description: str, example: Any = None, **more: Any) -> Extra:
    """Describe one answer of an operation, with an example of its JSON body where it has one."""
    if example is None:
        return {"description": description, **more}
    return {
        "description": description,
        "content": {"application/json": {"example": example}},
        **more,
    }


UNKNOWN = said(
    "No such session, or its time is over.", {"detail": "Session expired or does not exist"}
)
NO_STORE = said(
    "The server cannot reach its storage. Try again shortly.",
    {"detail": "The chat cannot reach its memory right now. Send it again shortly."},
)
TOO_FAST = said(
    "Too many sessions were begun from this address within a minute.",
    {"detail": "That was too fast. Try again in 24 s."},
    headers={
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
)
INVALID_NAME = said(
    "The name is missing, blank, or too long.",
    {"detail": {"loc": "name", "msg": "Enter a valid name"}},
)
NAME_BODY: Extra = {
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


def answers(extra: dict[int, Extra], **more: Any) -> Extra:
    """Return what an operation's `openapi_extra` takes."""
    return {"responses": extra, **more}


class QueryToken(APIKeyQuery):
    """The token as `?token=T`."""

    param_name = "token"

    def authenticate(self, request: HttpRequest, key: str | None) -> UUID | None:
        """Return the token; raises SessionUnknown for what is none."""
        return read_token(key) if key else None


class BearerToken(HttpBearer):
    """The token as `Authorization: Bearer T`: better, as addresses end up in logs."""

    def authenticate(self, request: HttpRequest, token: str) -> UUID:
        """Return the token; raises SessionUnknown for what is none."""
        return read_token(token)


def read_token(text: str) -> UUID:
    """Return the token in `text`; raises SessionUnknown for what is none."""
    try:
        return UUID(text)
    except ValueError as error:
        raise SessionUnknown from error


class DescribedApi(NinjaAPI):
    """Describes the service's own pages too: Django serves them, so that they answer HEAD."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        schema["paths"].update(SERVICE)
        return schema

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


def _page(operation: str, summary: str, responses: Extra, **more: Any) -> Extra:
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": ["service"],
            "responses": responses,
            **more,
        }
    }


def _object(properties: Extra) -> Extra:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _json(description: str, schema: Extra, example: Any) -> Extra:
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "content": content}


_STATE = {"type": "string", "description": "`ok`, or what is wrong."}
_CHECKS = _object({"checks": _object(dict.fromkeys(CHECKS, _STATE))})
_ALL_OK = {"checks": dict.fromkeys(CHECKS, OK)}
_NO_WORKER = {"checks": dict.fromkeys(CHECKS, OK) | {"worker": "no sign of life for 10 s"}}
_ALIVE = _object({"status": {"type": "string", "const": "alive"}})
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_ANY_JSON = {"content": {"application/json": {"schema": {"type": "object"}}}}

SERVICE: Extra = {
    "/healthz": _page(
        "healthz",
        "Tell that the process is alive",
        {"200": _json("It is.", _ALIVE, {"status": "alive"})},
    ),
    "/readyz": _page(
        "readyz",
        "Tell whether new messages would be answered",
        {
            "200": _json("They would.", _CHECKS, _ALL_OK),
            "503": _json("They would not, and what is wrong.", _CHECKS, _NO_WORKER),
        },
    ),
    "/metrics": _page(
        "metrics",
        "Tell the metrics of this host in Prometheus' format",
        {"200": {"description": "Also while Redis or the broker are not reachable.", **_TEXT}},
    ),
    "/asyncapi.json": _page(
        "asyncapi",
        "Describe the WebSocket API in AsyncAPI 3",
        {"200": {"description": "The document.", **_ANY_JSON}},
    ),
}
