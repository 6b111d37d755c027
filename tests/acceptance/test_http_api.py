"""The HTTP API that existing clients use."""

import re
from typing import Any
from uuid import UUID

import pytest
import requests

from tests.client import create_session
from tests.conftest import NewStack
from tests.processes import Stack

INVALID_NAME = {"detail": {"loc": "name", "msg": "Enter a valid name"}}
UNKNOWN = "5f0c1a52-7d5e-4c7e-9a39-2f6a4b1c0d11"


def post(stack: Stack, **request: Any) -> requests.Response:
    return requests.post(f"{stack.url}/token", timeout=10, **request)


def test_the_api_is_online(stack: Stack) -> None:
    assert requests.get(f"{stack.url}/test", timeout=10).json() == {"msg": "API is Online"}


@pytest.mark.parametrize(
    "request_", [{"params": {"name": "Ada"}}, {"data": {"name": "Ada"}}, {"json": {"name": "Ada"}}]
)
def test_a_session_is_created_with_a_name(stack: Stack, request_: dict[str, Any]) -> None:
    response = post(stack, **request_)

    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"token", "name", "session_start", "messages"}
    assert (body["name"], body["messages"]) == ("Ada", [])
    assert UUID(body["token"]).version == 4
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["session_start"])
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"params": {"name": ""}},
        {"params": {"name": " \t\u3000"}},
        {"params": {"name": "x" * 10_000}},
        {"json": {"name": None}},
        {"json": {"name": 7}},
        {"json": ["Ada"]},
        {"data": "{", "headers": {"Content-Type": "application/json"}},
        {"data": "[" * 50_000, "headers": {"Content-Type": "application/json"}},
        {"data": b'{"name":"\\ud800"}', "headers": {"Content-Type": "application/json"}},
        {"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}},
    ],
)
def test_an_invalid_name_is_rejected(stack: Stack, request_: dict[str, Any]) -> None:
    response = post(stack, **request_)

    assert (response.status_code, response.json()) == (400, INVALID_NAME)


@pytest.mark.parametrize(
    "name", ["A\x00da", "A\nda", "A\x1b[31mda", "\u202eadA", "A\u2066da", "A\u200fda", "A\u2028"]
)
@pytest.mark.parametrize("kind", ["params", "data", "json"])
def test_a_name_with_invisible_characters_is_rejected(stack: Stack, kind: str, name: str) -> None:
    response = post(stack, **{kind: {"name": f"x{name}x"}})
    assert response.status_code == 400
    assert response.json()["detail"] == {
        "loc": "name",
        "msg": "Enter a name without control or text direction characters",
    }
    page = requests.post(stack.url, data={"name": f"x{name}x"}, timeout=10)
    assert page.status_code in {400, 403}


@pytest.mark.parametrize(
    "name", ["Zoë", "محمد", "שרה", "👩\u200d💻", "\u0645\u06cc\u200c\u062e", "O'Neil"]
)
def test_names_of_every_script_are_accepted(stack: Stack, name: str) -> None:
    assert post(stack, json={"name": name}).json()["name"] == name


@pytest.mark.parametrize("token", ["", "x", UNKNOWN, "0" * 5_000])
def test_an_unknown_session_is_rejected(stack: Stack, token: str) -> None:
    for method in ("GET", "DELETE"):
        path = "/refresh_token" if method == "GET" else "/token"
        response = requests.request(method, stack.url + path, params={"token": token}, timeout=10)
        assert response.status_code == 400
        assert response.json() == {"detail": "Session expired or does not exist"}


def test_a_token_is_accepted_in_a_header(stack: Stack) -> None:
    token = create_session(stack.url)
    response = requests.get(
        f"{stack.url}/refresh_token", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    assert response.json()["token"] == token


def test_only_listed_origins_are_allowed(stack: Stack) -> None:
    for origin, allowed in (("http://localhost:3000", True), ("http://evil.example", False)):
        response = requests.options(
            f"{stack.url}/token",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
            timeout=10,
        )
        assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed


def test_sessions_are_rate_limited_by_address(new_stack: NewStack) -> None:
    stack = new_stack(TOKENS_PER_MINUTE_PER_IP="3")
    stack.start_redis()
    stack.start_web()

    responses = [post(stack, params={"name": "Ada"}) for _ in range(4)]

    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert 1 <= int(responses[3].headers["Retry-After"]) <= 60
    assert "Try again in" in responses[3].json()["detail"]


def test_without_redis_the_api_is_unavailable(new_stack: NewStack) -> None:
    stack = new_stack()
    redis = stack.start_redis()
    stack.start_web()
    redis.kill()

    response = post(stack, params={"name": "Ada"})

    assert response.status_code == 503
    assert "Nothing was stored" in response.json()["detail"]
    ready = requests.get(f"{stack.url}/readyz", timeout=10)
    assert ready.status_code == 503
    assert ready.json()["checks"]["redis"] == "unreachable"
    assert requests.get(f"{stack.url}/healthz", timeout=10).status_code == 200
