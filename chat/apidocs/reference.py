"""The page that describes the WebSocket API to people, from the AsyncAPI document."""

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from chat.apidocs import asyncapi
from chat.errors import MEANINGS
from chat.protocol import SUBPROTOCOL
from chat.websocket.codecs import PlainReply

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
    """A part of a type's description; `link` is the name of the type it links to."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class FieldRow:
    """A field of a frame as the page shows it."""

    name: str
    type: list[Word]
    required: bool
    description: SafeString


def websocket_page(request: HttpRequest) -> HttpResponse:
    """Return the page with all frames, types and error codes."""
    document = asyncapi.document(request.get_host(), secure=request.is_secure())
    server = document["servers"]["this"]
    messages = document["components"]["messages"]
    context = {
        "url": f"{server['protocol']}://{server['host']}/chat",
        "subprotocol": SUBPROTOCOL,
        "version": asyncapi.VERSION,
        "security": [
            (name, scheme["name"], format_code(scheme["description"]))
            for name, scheme in document["components"]["securitySchemes"].items()
        ],
        "sent": [_section(messages[asyncapi.type_of(frame)]) for frame in asyncapi.CLIENT_FRAMES],
        "received": [
            _section(messages[asyncapi.type_of(frame)]) for frame in asyncapi.SERVER_FRAMES
        ],
        "plain": [_section(messages[name]) for name in ("plain.text", "plain.answer")],
        "types": [_type(name) for name in _part_names()],
        "codes": [(code.value, format_code(meaning)) for code, meaning in MEANINGS.items()],
    }
    return render(request, "chat/websocket.html", context)


def _section(message: dict[str, Any]) -> dict[str, Any]:
    payload = message["payload"]
    return {
        "name": message["name"],
        "description": format_code(message.get("description", message["summary"])),
        "fields": _fields(asyncapi.schemas()[_name(payload)]) if "$ref" in payload else [],
        "examples": [_example(example["payload"]) for example in message["examples"]],
    }


def _type(name: str) -> dict[str, Any]:
    schema = asyncapi.schemas()[name]
    return {
        "name": name,
        "description": format_code(schema.get("description", "")),
        "fields": _fields(schema),
        "values": schema.get("enum", []),
    }


def _part_names() -> list[str]:
    """Return the names of the types that frames consist of."""
    frames = {frame.__name__ for frame in (*asyncapi.CLIENT_FRAMES, *asyncapi.SERVER_FRAMES)}
    return [name for name in asyncapi.schemas() if name not in frames | {PlainReply.__name__}]


def _fields(schema: dict[str, Any]) -> list[FieldRow]:
    required = schema.get("required", [])
    return [
        FieldRow(
            name, type_in_words(field), name in required, format_code(field.get("description", ""))
        )
        for name, field in schema.get("properties", {}).items()
    ]


def type_in_words(schema: dict[str, Any]) -> list[Word]:
    """Describe the type that a JSON schema defines."""
    if "$ref" in schema:
        return [Word(_name(schema), link=_name(schema))]
    if "anyOf" in schema:
        return _join([type_in_words(option) for option in schema["anyOf"]])
    if "const" in schema:
        return [Word(json.dumps(schema["const"]))]
    if "enum" in schema:
        return _join([[Word(json.dumps(value))] for value in schema["enum"]])
    if schema["type"] == "array":
        return [Word("list of "), *type_in_words(schema["items"])]
    word = WORDS[schema.get("format", schema["type"])]
    return [Word(f"{word}, at least {schema['minimum']}" if "minimum" in schema else word)]


def format_code(text: str) -> SafeString:
    """Return text as HTML, with the parts between backticks as code."""
    parts = enumerate(text.split("`"))
    formatted = (
        format_html("<code>{}</code>", part) if index % 2 else part for index, part in parts
    )
    return format_html_join("", "{}", ((part,) for part in formatted))


def _join(options: list[list[Word]]) -> list[Word]:
    words = options[0]
    for option in options[1:]:
        words = [*words, Word(" or "), *option]
    return words


def _name(reference: dict[str, Any]) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _example(payload: Any) -> str:
    return (
        payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)
    )
