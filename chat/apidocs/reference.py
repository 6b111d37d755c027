"""The description of the WebSocket API: AsyncAPI for programs, a page for readers."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from chat.apidocs import asyncapi
from chat.errors import MEANINGS
from chat.protocol import SUBPROTOCOL

WORDS = {
    "uuid": "UUID",
    "date-time": "time, ISO 8601 in UTC",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


@dataclass(frozen=True)
class Word:
    """A part of a type's description; `link` names the type that it links to."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class FieldRow:
    """A field of a frame as the page shows it."""

    name: str
    kind: list[Word]
    required: bool
    description: SafeString


def asyncapi_json(request: HttpRequest) -> JsonResponse:
    """Return the WebSocket API as an AsyncAPI 3 document."""
    document = asyncapi.document(request.get_host(), secure=request.is_secure())
    return JsonResponse(document, json_dumps_params={"indent": 2, "ensure_ascii": False})


def websocket_page(request: HttpRequest) -> HttpResponse:
    """Return the page that describes the same frames to readers."""
    described = asyncapi.document(request.get_host(), secure=request.is_secure())
    server = described["servers"]["this"]
    messages = described["components"]["messages"]
    context = {
        "url": f"{server['protocol']}://{server['host']}/chat",
        "subprotocol": SUBPROTOCOL,
        "version": asyncapi.VERSION,
        "security": [
            (name, scheme["name"], in_html(scheme["description"]))
            for name, scheme in described["components"]["securitySchemes"].items()
        ],
        "sent": [_section(messages[asyncapi.type_of(frame)]) for frame in asyncapi.CLIENT_FRAMES],
        "received": [
            _section(messages[asyncapi.type_of(frame)]) for frame in asyncapi.SERVER_FRAMES
        ],
        "plain": [_section(messages[name]) for name in ("plain.text", "plain.reply")],
        "types": [_type(name) for name in _names_of_parts()],
        "codes": [(code.value, in_html(meaning)) for code, meaning in MEANINGS.items()],
    }
    return render(request, "chat/websocket.html", context)


def _section(message: dict[str, Any]) -> dict[str, Any]:
    payload = message["payload"]
    return {
        "name": message["name"],
        "description": in_html(message.get("description", message["summary"])),
        "fields": _fields(asyncapi.schemas()[_name(payload)]) if "$ref" in payload else [],
        "examples": [_shown(example["payload"]) for example in message["examples"]],
    }


def _type(name: str) -> dict[str, Any]:
    schema = asyncapi.schemas()[name]
    return {
        "name": name,
        "description": in_html(schema.get("description", "")),
        "fields": _fields(schema),
        "values": schema.get("enum", []),
    }


def _names_of_parts() -> list[str]:
    """Return the types that frames consist of and that are not frames themselves."""
    frames = {frame.__name__ for frame in (*asyncapi.CLIENT_FRAMES, *asyncapi.SERVER_FRAMES)}
    return [name for name in asyncapi.schemas() if name not in frames | {"PlainReply"}]


def _fields(schema: dict[str, Any]) -> list[FieldRow]:
    required = schema.get("required", [])
    return [
        FieldRow(name, kind_of(field), name in required, in_html(field.get("description", "")))
        for name, field in schema.get("properties", {}).items()
    ]


def kind_of(schema: dict[str, Any]) -> list[Word]:
    """Describe a JSON schema in words."""
    if "$ref" in schema:
        return [Word(_name(schema), link=_name(schema))]
    if "anyOf" in schema:
        return _joined([kind_of(option) for option in schema["anyOf"]])
    if "const" in schema:
        return [Word(json.dumps(schema["const"]))]
    if "enum" in schema:
        return _joined([[Word(json.dumps(value))] for value in schema["enum"]])
    if schema["type"] == "array":
        return [Word("list of "), *kind_of(schema["items"])]
    word = WORDS[schema.get("format", schema["type"])]
    return [Word(f"{word}, at least {schema['minimum']}" if "minimum" in schema else word)]


def in_html(text: str) -> SafeString:
    """Return text as HTML, with the parts between backticks as code."""
    parts = enumerate(text.split("`"))
    marked = (format_html("<code>{}</code>", part) if index % 2 else part for index, part in parts)
    return format_html_join("", "{}", ((part,) for part in marked))


def _joined(options: list[list[Word]]) -> list[Word]:
    words = options[0]
    for option in options[1:]:
        words = [*words, Word(" or "), *option]
    return words


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _shown(payload: Any) -> str:
    return (
        payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)
    )
