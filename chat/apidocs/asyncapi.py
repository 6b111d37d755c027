"""The AsyncAPI 3 document of the WebSocket API, generated from the types that the server uses.

Format: https://www.asyncapi.com/docs/reference/specification/v3.0.0. Operations are described from
the server's point of view, so a frame that a client sends has the action `receive`.
"""

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from chat.protocol import (
    SUBPROTOCOL,
    ClientFrame,
    Error,
    Frame,
    MessageAccepted,
    MessageSend,
    ReplyCompleted,
    ReplyFailed,
    ReplyQueued,
    ReplyRegenerate,
    ReplyStarted,
    ReplyStop,
    ServerFrame,
    SessionExtend,
    SessionReady,
    SessionSync,
)
from chat.websocket.codecs import PlainReply
from chat.websocket.handshake import COOKIE

VERSION = "1.0.0"
EXAMPLES = Path(__file__).parent / "frame_examples.json"
FrameType = type[Frame]

CLIENT_FRAMES: tuple[FrameType, ...] = get_args(get_args(ClientFrame)[0])
SERVER_FRAMES: tuple[FrameType, ...] = get_args(get_args(ServerFrame)[0])
RESPONSES: dict[FrameType, tuple[FrameType, ...]] = {
    MessageSend: (MessageAccepted, Error),
    ReplyStop: (ReplyCompleted, ReplyFailed, Error),
    ReplyRegenerate: (ReplyQueued, ReplyStarted, Error),
    SessionSync: (SessionReady, Error),
    SessionExtend: (SessionReady, Error),
}

DESCRIPTION = f"""\
One WebSocket with two formats. A client that offers the subprotocol `{SUBPROTOCOL}` exchanges typed
frames and can resume. A client that offers none sends text and receives a JSON object for every
reply. `POST /token` returns the session's token (see `/openapi.json`). For a readable version of
this document, see `/docs/websocket`."""


def type_of(frame: FrameType) -> str:
    """Return the `type` of a frame."""
    return str(frame.model_fields["type"].default)


@cache
def examples() -> dict[str, Any]:
    """Return an example of every frame by its type, recorded from a real conversation."""
    return dict(json.loads(EXAMPLES.read_text()))


@cache
def schemas() -> dict[str, Any]:
    """Return the JSON schema of every type by its name."""
    received: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (frame, "validation") for frame in CLIENT_FRAMES
    ]
    sent: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((frame, "serialization") for frame in SERVER_FRAMES),
        (PlainReply, "serialization"),
    ]
    _, schema_document = models_json_schema(
        received + sent, ref_template="#/components/schemas/{model}"
    )
    for frame in CLIENT_FRAMES:
        # A frame must have a type, although the field has a default in Python.
        schema = schema_document["$defs"][frame.__name__]
        schema["required"] = ["type", *schema.get("required", [])]
    return dict(schema_document["$defs"])


def document(host: str, *, secure: bool) -> dict[str, Any]:
    """Return the AsyncAPI document of the server at `host`."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Chat over WebSocket", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "this": {
                "host": host,
                "protocol": "wss" if secure else "ws",
                "description": "The server that served this document.",
                "security": [_ref("components", "securitySchemes", name) for name in SECURITY],
            }
        },
        "channels": {SUBPROTOCOL: _chat_v1(), "plain": _plain()},
        "operations": _operations(),
        "components": {
            "messages": _messages(),
            "schemas": schemas(),
            "securitySchemes": SECURITY,
        },
    }


SECURITY = {
    "subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": f"Offer `{SUBPROTOCOL}, token.T`, where T is the token. The server selects"
        f" `{SUBPROTOCOL}`.",
    },
    "query": {
        "type": "httpApiKey",
        "in": "query",
        "name": "token",
        "description": "`/chat?token=T`: the only way without a subprotocol.",
    },
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Set by the form of the chat page.",
    },
}


def _chat_v1() -> dict[str, Any]:
    return {
        "address": "/chat",
        "title": SUBPROTOCOL,
        "description": "Typed JSON frames in both directions. The first one is `session.ready`.",
        "messages": {
            type_of(frame): _ref("components", "messages", type_of(frame))
            for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)
        },
        "bindings": _handshake(
            {
                "type": "integer",
                "minimum": 0,
                "description": "Send only messages with a higher seq.",
            },
            {"Sec-WebSocket-Protocol": {"type": "string", "description": "Contains `chat.v1`."}},
        ),
    }


def _plain() -> dict[str, Any]:
    names = ("plain.text", "plain.answer")
    return {
        "address": "/chat",
        "title": "plain",
        "description": "Text in, one JSON object out for every reply or error, and nothing else.",
        "messages": {name: _ref("components", "messages", name) for name in names},
        "bindings": _handshake(None, {}),
    }


def _handshake(after: dict[str, Any] | None, headers: dict[str, Any]) -> dict[str, Any]:
    query: dict[str, Any] = {"token": {"type": "string", "format": "uuid"}}
    return {
        "ws": {
            "method": "GET",
            "query": {"type": "object", "properties": query | ({"after": after} if after else {})},
            "headers": {"type": "object", "properties": headers, "required": list(headers)},
            "bindingVersion": "0.1.0",
        }
    }


def _messages() -> dict[str, Any]:
    frames = {type_of(frame): _message(frame) for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)}
    return frames | {
        "plain.text": {
            "name": "plain.text",
            "summary": "The text of a message.",
            "contentType": "text/plain",
            "payload": {"type": "string"},
            "examples": [{"payload": examples()["plain.text"]}],
        },
        "plain.answer": {
            "name": "plain.answer",
            "summary": "A reply or an error.",
            "payload": _ref("components", "schemas", PlainReply.__name__),
            "examples": [
                {"name": name, "payload": examples()[f"plain.{name}"]}
                for name in ("answer", "failure")
            ],
        },
    }


def _message(frame: FrameType) -> dict[str, Any]:
    return {
        "name": type_of(frame),
        "summary": _first_sentence(frame),
        "description": inspect.getdoc(frame) or "",
        "payload": _ref("components", "schemas", frame.__name__),
        "examples": [{"payload": examples()[type_of(frame)]}],
    }


def _operations() -> dict[str, Any]:
    return {
        **{type_of(frame): _receive(frame) for frame in CLIENT_FRAMES},
        "notify": {
            "action": "send",
            "channel": _ref("channels", SUBPROTOCOL),
            "summary": "Notify the sockets of the session.",
            "messages": _in_channel(SUBPROTOCOL, *map(type_of, SERVER_FRAMES)),
        },
        "plain.send": {
            "action": "receive",
            "channel": _ref("channels", "plain"),
            "summary": "Receive a message.",
            "messages": _in_channel("plain", "plain.text"),
            "reply": {
                "channel": _ref("channels", "plain"),
                "messages": _in_channel("plain", "plain.answer"),
            },
        },
    }


def _receive(frame: FrameType) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _ref("channels", SUBPROTOCOL),
        "summary": _first_sentence(frame),
        "messages": _in_channel(SUBPROTOCOL, type_of(frame)),
        "reply": {
            "channel": _ref("channels", SUBPROTOCOL),
            "messages": _in_channel(SUBPROTOCOL, *map(type_of, RESPONSES[frame])),
        },
    }


def _first_sentence(frame: FrameType) -> str:
    first_line = (inspect.getdoc(frame) or "").partition("\n")[0]
    return first_line.partition(". ")[0].rstrip(".") + "."


def _in_channel(channel: str, *names: str) -> list[dict[str, str]]:
    return [_ref("channels", channel, "messages", name) for name in names]


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *path))}
