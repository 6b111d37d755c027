"""The generated documents are valid and complete, and their examples match their schemas."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from chat.api import api
from chat.apidocs.asyncapi import CLIENT_FRAMES, SERVER_FRAMES, FrameType, document, type_of
from chat.apidocs.reference import Word, in_html, kind_of
from chat.errors import MEANINGS, ErrorCode

GUIDE = Path(__file__).parents[2].joinpath("docs", "reference", "websocket-api.md").read_text()
ASYNCAPI = document("chat.example:3500", secure=True)
OPENAPI = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))
RESPONSES = [
    (f"{method.upper()} {path} {status}", content)
    for path, operations in OPENAPI["paths"].items()
    for method, operation in operations.items()
    for status, response in operation["responses"].items()
    for content in response.get("content", {}).values()
]


def test_the_openapi_document_is_valid() -> None:
    validate(OPENAPI)


def test_openapi_names_every_route_and_response() -> None:
    described = {
        (method, path): set(operation["responses"])
        for path, operations in OPENAPI["paths"].items()
        for method, operation in operations.items()
    }
    assert described == {
        ("get", "/test"): {"200"},
        ("post", "/token"): {"200", "400", "429", "503"},
        ("get", "/refresh_token"): {"200", "400", "429", "503"},
        ("delete", "/token"): {"204", "400", "429", "503"},
        ("post", "/share"): {"201", "400", "409", "429", "503"},
        ("get", "/share"): {"200", "400", "429", "503"},
        ("delete", "/share/{share}"): {"204", "400", "404", "429", "503"},
        ("get", "/s/{secret}.json"): {"200", "404", "429", "503"},
        ("get", "/healthz"): {"200"},
        ("get", "/readyz"): {"200", "400", "503"},
        ("get", "/metrics"): {"200"},
        ("get", "/asyncapi.json"): {"200"},
    }


def test_a_token_is_a_query_parameter_or_a_bearer_token() -> None:
    schemes = OPENAPI["components"]["securitySchemes"]
    security = OPENAPI["paths"]["/refresh_token"]["get"]["security"]
    assert [schemes[name] for choice in security for name in choice] == [
        {"type": "apiKey", "in": "query", "name": "token"},
        {"type": "http", "scheme": "bearer"},
    ]


@pytest.mark.parametrize(("response", "content"), RESPONSES, ids=[name for name, _ in RESPONSES])
def test_an_http_example_matches_its_schema(response: str, content: dict[str, Any]) -> None:
    if "example" in content:
        schema = content["schema"] | {"components": OPENAPI["components"]}
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(content["example"])


@pytest.mark.parametrize("message", ASYNCAPI["components"]["messages"].values(), ids=str)
def test_a_websocket_example_matches_its_schema(message: dict[str, Any]) -> None:
    schema = message["payload"] | {"components": ASYNCAPI["components"]}
    for example in message["examples"]:
        Draft7Validator(schema, format_checker=FormatChecker()).validate(example["payload"])


@pytest.mark.parametrize("name", ["MessageSend", "Error", "ReplyDelta", "Message", "SessionSync"])
def test_a_schema_requires_its_fields(name: str) -> None:
    schema = ASYNCAPI["components"]["schemas"][name] | {"components": ASYNCAPI["components"]}
    assert not Draft7Validator(schema).is_valid({})


def test_every_frame_has_a_description() -> None:
    assert all(message["summary"] for message in ASYNCAPI["components"]["messages"].values())


def test_every_error_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ErrorCode)


@pytest.mark.parametrize(
    ("schema", "description"),
    [
        ({"type": "string", "format": "uuid"}, "UUID"),
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        ({"const": "reply.stop", "type": "string"}, '"reply.stop"'),
        ({"enum": ["human", "bot"], "type": "string"}, '"human" or "bot"'),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Message"}}, "list of Message"),
    ],
)
def test_a_type_is_described_in_words(schema: dict[str, Any], description: str) -> None:
    assert "".join(word.text for word in kind_of(schema)) == description


def test_a_named_type_is_a_link() -> None:
    assert kind_of({"$ref": "#/components/schemas/Usage"}) == [Word("Usage", link="Usage")]


def test_a_description_is_escaped_and_its_code_marked_up() -> None:
    assert in_html("`a<b` & more") == "<code>a&lt;b</code> &amp; more"


def code_table(text: str) -> dict[str, str]:
    """Return the rows of the error code table: code → meaning."""
    return dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", text, re.MULTILINE))


def test_the_guide_lists_the_same_codes_with_the_same_meaning() -> None:
    assert code_table(GUIDE) == {code.value: meaning for code, meaning in MEANINGS.items()}


@pytest.mark.parametrize(
    ("start", "frames"), [("You send:", CLIENT_FRAMES), ("You receive:", SERVER_FRAMES)]
)
def test_the_guide_lists_the_same_frames(start: str, frames: tuple[FrameType, ...]) -> None:
    paragraph = GUIDE.partition(f"\n{start}")[2].partition("\n\n")[0]
    assert re.findall(r"`([a-z.]+)`", paragraph) == [type_of(frame) for frame in frames]


def test_the_guide_mentions_only_existing_frames_and_codes() -> None:
    known = {type_of(frame) for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)} | set(ErrorCode)
    dotted = set(
        re.findall(r"`((?:message|reply|session|model|rate|queue|store)\.[a-z_]+)`", GUIDE)
    )
    assert dotted - known == {"message.error"}


def test_every_object_names_its_fields() -> None:
    """A serializer of its own hides a type's fields from pydantic."""
    objects = {
        name: schema
        for name, schema in ASYNCAPI["components"]["schemas"].items()
        if schema.get("type") == "object"
    }
    assert [name for name, schema in objects.items() if "properties" not in schema] == []
