"""Texts and examples of the OpenAPI document, and how operations of `chat/api.py` carry them."""

from typing import Any

from ninja import NinjaAPI
from ninja.operation import Operation
from pydantic import BaseModel

DESCRIPTION = """\
Create a session, load its history, delete it. The conversation itself uses the WebSocket `/chat`:
see [/docs/websocket](/docs/websocket) and [/asyncapi.json](/asyncapi.json).
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

RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer", "minimum": 1},
    }
}

NAME_BODY = {
    "description": "The name, if it is not in the query.",
    "content": {
        media_type: {"schema": {"type": "object", "properties": {"name": {"type": "string"}}}}
        for media_type in (
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        )
    },
}


def response(
    description: str, example: BaseModel | dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return the description of a response, with an example of its JSON body if it has one."""
    if example is None:
        return {"description": description, **more}
    body = example.model_dump(mode="json") if isinstance(example, BaseModel) else example
    return {
        "description": description,
        "content": {"application/json": {"example": body}},
        **more,
    }


def content(media_type: str, json_type: str) -> dict[str, Any]:
    """Return the content of a response whose body has no schema beyond its type."""
    return {"content": {media_type: {"schema": {"type": json_type}}}}


class DocumentedAPI(NinjaAPI):
    """An API whose operations are named after their functions."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__
