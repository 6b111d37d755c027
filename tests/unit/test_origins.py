"""Which hosts and origins may open a WebSocket."""

from typing import Any

import pytest

from chat.websocket.origins import HostValidator, SameOriginValidator


async def is_accepted(validator: Any, **headers: str | list[str]) -> bool:
    """Return whether a validator passes a handshake on to its application."""
    accepted = []
    sent: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        accepted.append(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if not sent else "websocket.disconnect", "code": 1006}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [
        (name.encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {"type": "websocket", "headers": pairs, "path": "/chat"}
    await validator(application)(scope, receive, send)
    assert accepted or [message["type"] for message in sent] == ["websocket.close"]
    return bool(accepted)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("chat.example", True),
        ("chat.example:8443", True),
        ("CHAT.example", True),
        ("a.sub.example", True),
        ("evil.example", False),
        ("chat.example.evil.example", False),
        ("chat.example@evil.example", False),
        ("chat.example:x", False),
        ("", False),
        ([], False),
        (["chat.example", "evil.example"], False),
        ("[::1", False),
        ("\xe9.example", False),
    ],
)
async def test_the_host_must_be_allowed(hosts: str | list[str], expected: bool) -> None:
    allowed = ["chat.example", ".sub.example"]
    assert await is_accepted(lambda app: HostValidator(app, allowed), host=hosts) is expected


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ([], True),
        ("http://chat.example", True),
        ("https://app.example", True),
        ("https://app.example:443", True),
        ("https://evil.example", False),
        ("http://a:99999", False),
        ("http://a:x", False),
        ("http://[::1", False),
        ("https://app.example:99999", False),
        ("null", False),
        ("", False),
        (["https://app.example", "https://evil.example"], False),
    ],
)
async def test_the_origin_must_be_the_sites_own_or_listed(
    origins: str | list[str], expected: bool
) -> None:
    accepted = await is_accepted(
        lambda app: SameOriginValidator(app, ["https://app.example"]),
        host="chat.example",
        origin=origins,
    )
    assert accepted is expected
