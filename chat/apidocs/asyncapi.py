"""The WebSocket API in AsyncAPI 3, generated from the types that validate and serialize frames.

Format: https://www.asyncapi.com/docs/reference/specification/v3.0.0. Operations are named from
the server's side: what a client sends is `receive`.
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
    MessageTyping,
    OperatorRequest,
    OperatorRequested,
    ReplyCompleted,
    ReplyContinue,
    ReplyFailed,
    ReplyQueued,
    ReplyRate,
    ReplyRated,
    ReplyRegenerate,
    ReplyStarted,
    ReplyStop,
    ServerFrame,
    SessionExtend,
    SessionHistory,
    SessionMessages,
    SessionPing,
    SessionPong,
    SessionReady,
    SessionSync,
    SessionVersion,
    VersionChoose,
    VersionLoad,
)
from chat.websocket.codecs import PlainReply
from chat.websocket.handshake import COOKIE

VERSION = "1.6.0"
EXAMPLES = Path(__file__).parent / "frame_examples.json"
FrameType = type[Frame]

CLIENT_FRAMES: tuple[FrameType, ...] = get_args(get_args(ClientFrame)[0])
SERVER_FRAMES: tuple[FrameType, ...] = get_args(get_args(ServerFrame)[0])
RESPONSES: dict[FrameType, tuple[FrameType, ...]] = {
    MessageSend: (MessageAccepted, Error),
    ReplyStop: (ReplyCompleted, ReplyFailed, Error),
    ReplyRegenerate: (ReplyQueued, ReplyStarted, Error),
    ReplyRate: (ReplyRated, Error),
    ReplyContinue: (ReplyQueued, ReplyStarted, Error),
    VersionLoad: (SessionVersion, Error),
    VersionChoose: (MessageAccepted, ReplyCompleted, Error),
    SessionSync: (SessionReady, Error),
    SessionHistory: (SessionMessages, Error),
    SessionExtend: (SessionReady, Error),
    SessionPing: (SessionPong, Error),
    MessageTyping: (Error,),
    OperatorRequest: (OperatorRequested, Error),
}

DESCRIPTION = f"""\
One WebSocket, two frame formats. A client that offers the subprotocol `{SUBPROTOCOL}` exchanges
typed frames and can resume. A client that offers none sends text and receives a JSON object per
reply. `POST /token` returns the session's token (see `/openapi.json`). The same description for
readers is at `/docs/websocket`."""


def type_of(frame: FrameType) -> str:
    """Return a frame's `type`."""
    return str(frame.model_fields["type"].default)


@cache
def examples() -> dict[str, Any]:
    """Return an example of every frame by its type."""
    return dict(json.loads(EXAMPLES.read_text()))


@cache
def schemas() -> dict[str, Any]:
    """Return the JSON schema of every type by its name."""
    sent: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (frame, "validation") for frame in CLIENT_FRAMES
    ]
    received: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((frame, "serialization") for frame in SERVER_FRAMES),
        (PlainReply, "serialization"),
    ]
    _, described = models_json_schema(sent + received, ref_template="#/components/schemas/{model}")
    for frame in CLIENT_FRAMES:
        # The type is required, although the field has a default in Python.
        schema = described["$defs"][frame.__name__]
        schema["required"] = ["type", *schema.get("required", [])]
    return dict(described["$defs"])


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
                "after": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "Send only messages after this seq.",
                },
                "ratings_revision": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "Send only ratings after this revision.",
                },
            },
            {"Sec-WebSocket-Protocol": {"type": "string", "description": "Contains `chat.v1`."}},
        ),
    }


def _plain() -> dict[str, Any]:
    names = ("plain.text", "plain.reply")
    return {
        "address": "/chat",
        "title": "plain",
        "description": "The client sends text; the server sends a JSON object per reply or error.",
        "messages": {name: _ref("components", "messages", name) for name in names},
        "bindings": _handshake({}, {}),
    }


def _handshake(parameters: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    query: dict[str, Any] = {"token": {"type": "string", "format": "uuid"}}
    return {
        "ws": {
            "method": "GET",
            "query": {"type": "object", "properties": query | parameters},
            "headers": {"type": "object", "properties": headers, "required": list(headers)},
            "bindingVersion": "0.1.0",
        }
    }


def _messages() -> dict[str, Any]:
    frames = {type_of(frame): _message(frame) for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)}
    return frames | {
        "plain.text": {
            "name": "plain.text",
            "summary": "A message as text.",
            "contentType": "text/plain",
            "payload": {"type": "string"},
            "examples": [{"payload": examples()["plain.text"]}],
        },
        "plain.reply": {
            "name": "plain.reply",
            "summary": "A reply, or why there is none.",
            "payload": _ref("components", "schemas", PlainReply.__name__),
            "examples": [
                {"name": name, "payload": examples()[f"plain.{name}"]}
                for name in ("reply", "error")
            ],
        },
    }


def _message(frame: FrameType) -> dict[str, Any]:
    description = inspect.getdoc(frame) or ""
    return {
        "name": type_of(frame),
        "summary": description.partition(". ")[0].rstrip(".") + ".",
        "description": description,
        "payload": _ref("components", "schemas", frame.__name__),
        "examples": [{"payload": examples()[type_of(frame)]}],
    }


def _operations() -> dict[str, Any]:
    return {
        **{type_of(frame): _receive(frame) for frame in CLIENT_FRAMES},
        "publish": {
            "action": "send",
            "channel": _ref("channels", SUBPROTOCOL),
            "summary": "Send every socket of the session what happens.",
            "messages": _in_channel(SUBPROTOCOL, *map(type_of, SERVER_FRAMES)),
        },
        "plain.send": {
            "action": "receive",
            "channel": _ref("channels", "plain"),
            "summary": "Receive a message.",
            "messages": _in_channel("plain", "plain.text"),
            "reply": {
                "channel": _ref("channels", "plain"),
                "messages": _in_channel("plain", "plain.reply"),
            },
        },
    }


def _receive(frame: FrameType) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _ref("channels", SUBPROTOCOL),
        "summary": (inspect.getdoc(frame) or "").partition(". ")[0],
        "messages": _in_channel(SUBPROTOCOL, type_of(frame)),
        "reply": {
            "channel": _ref("channels", SUBPROTOCOL),
            "messages": _in_channel(SUBPROTOCOL, *map(type_of, RESPONSES[frame])),
        },
    }


def _in_channel(channel: str, *names: str) -> list[dict[str, str]]:
    return [_ref("channels", channel, "messages", name) for name in names]


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(("#", *path))}
