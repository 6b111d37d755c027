"""Responses of the routes match /openapi.json."""

from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from chat.schemas import session_id
from chat.store.client import Store
from tests.client import create_session
from tests.component.conftest import send_message
from tests.processes import Stack

UNKNOWN = {"token": "00000000-0000-4000-8000-000000000000"}


def request_as_documented(
    stack: Stack, method: str, path: str, template: str = "", **request: Any
) -> requests.Response:
    """Send a request, check the response against the document, and return it."""
    document = requests.get(f"{stack.url}/openapi.json", timeout=10).json()
    response = requests.request(method, stack.url + path, timeout=10, **request)
    operation = document["paths"][template or path.partition("?")[0]][method.lower()]
    described = operation["responses"][str(response.status_code)]
    for content_type, content in described.get("content", {}).items():
        assert response.headers["Content-Type"].startswith(content_type)
        if content_type == "application/json":
            schema = content["schema"] | {"components": document["components"]}
            Draft202012Validator(schema).validate(response.json())
    return response


@pytest.mark.parametrize(
    "path", ["/test", "/healthz", "/readyz", "/readyz?for=web", "/metrics", "/asyncapi.json"]
)
def test_a_service_route_matches_its_description(stack: Stack, path: str) -> None:
    assert request_as_documented(stack, "GET", path).status_code == 200


def test_a_session_matches_its_description_from_start_to_end(stack: Stack) -> None:
    assert request_as_documented(stack, "POST", "/token", params={"name": "Ada"}).status_code == 200
    query = {"token": create_session(stack.url)}
    bearer = {"Authorization": f"Bearer {query['token']}"}

    assert request_as_documented(stack, "GET", "/refresh_token", params=query).status_code == 200
    assert request_as_documented(stack, "DELETE", "/token", headers=bearer).status_code == 204
    assert request_as_documented(stack, "GET", "/refresh_token", headers=bearer).status_code == 400


def test_a_share_matches_its_description_from_start_to_end(stack: Stack) -> None:
    token = create_session(stack.url)
    headers = {"Authorization": f"Bearer {token}"}
    store = Store(stack.redis_url, connections=1)
    assert request_as_documented(stack, "POST", "/share", headers=headers).status_code == 409
    send_message(store, session_id(token))
    store.redis.close()

    created = request_as_documented(stack, "POST", "/share", headers=headers, json={"ttl_s": 60})
    assert created.status_code == 201
    link = created.json()
    shared = link["url"].removeprefix(stack.url) + ".json"
    share = f"/share/{link['id']}"
    wanted = ("/s/{secret}.json", "/share/{share}")
    assert request_as_documented(stack, "GET", shared, wanted[0]).status_code == 200
    assert request_as_documented(stack, "GET", "/share", headers=headers).status_code == 200
    for status in (204, 404):
        response = request_as_documented(stack, "DELETE", share, wanted[1], headers=headers)
        assert response.status_code == status
    assert request_as_documented(stack, "GET", shared, wanted[0]).status_code == 404
    bad = request_as_documented(stack, "POST", "/share", headers=headers, json={"ttl_s": -1})
    assert bad.status_code == 400


def test_an_error_response_matches_its_description(stack: Stack) -> None:
    assert request_as_documented(stack, "POST", "/token").status_code == 400
    assert request_as_documented(stack, "GET", "/readyz?for=nobody").status_code == 400
    assert request_as_documented(stack, "GET", "/refresh_token").status_code == 400
    assert request_as_documented(stack, "DELETE", "/token", params=UNKNOWN).status_code == 400
    assert request_as_documented(stack, "POST", "/share", params=UNKNOWN).status_code == 400
    assert request_as_documented(stack, "GET", "/share").status_code == 400


@pytest.mark.parametrize("body", [b"--x--\r\n", b"--x\r\n", b"x"])
def test_a_multipart_body_without_parts_is_a_request_without_a_name(
    stack: Stack, body: bytes
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert request_as_documented(stack, "POST", "/token", data=body, headers=headers).ok is False
