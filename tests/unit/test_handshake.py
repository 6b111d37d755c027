"""The session, codec and seq that a handshake is parsed to."""

from typing import Any

import pytest

from chat.schemas import session_id
from chat.websocket.handshake import parse_handshake

TOKEN = "5f4dcc3b-5aa7-45d6-9d83-27deb882cf99"
SESSION = session_id(TOKEN)


def scope(offered: tuple[str, ...] = (), query: str = "", cookie: str = "") -> dict[str, Any]:
    return {
        "subprotocols": list(offered),
        "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())] if cookie else [],
        "client": ["10.1.2.3", 50000],
    }


@pytest.mark.parametrize(
    ("handshake", "session"),
    [
        (scope(query=f"token={TOKEN}"), SESSION),
        (scope(query=f"token={TOKEN.upper()}"), None),
        (scope(query=f"token=%7B{TOKEN}%7D"), None),
        (scope(query=f"token=urn:uuid:{TOKEN}"), None),
        (scope(query=f"token={TOKEN.replace('-', '')}"), None),
        (scope(query="token="), None),
        (scope(query="token=not-a-uuid"), None),
        (scope(query="token=%ff"), None),
        (scope(), None),
        (scope(cookie=f"chat_token={TOKEN}"), None),
        (scope(("chat.v1", f"token.{TOKEN}")), SESSION),
        (scope((f"token.{TOKEN}", "chat.v1")), SESSION),
        (scope(("chat.v1",), query=f"token={TOKEN}"), SESSION),
        (scope(("chat.v1",), cookie=f"a=b; chat_token={TOKEN}"), SESSION),
        (scope(("chat.v1",), cookie="chat_token=;;;=="), None),
        (scope(("chat.v1",)), None),
    ],
)
def test_the_token_is_found_in_query_subprotocol_or_cookie(
    handshake: dict[str, Any], session: str | None
) -> None:
    assert parse_handshake(handshake).session == session


def test_the_codec_follows_from_the_offered_subprotocols() -> None:
    assert parse_handshake(scope(("chat.v1",))).codec.subprotocol == "chat.v1"
    assert parse_handshake(scope()).codec.subprotocol is None
    assert parse_handshake(scope(("mqtt",))).codec.subprotocol is None


@pytest.mark.parametrize(
    ("text", "after"), [("7", 7), ("-1", 0), ("x", 0), ("9" * 30, 0), ("٣", 0), ("", 0)]
)
def test_an_invalid_after_is_zero(text: str, after: int) -> None:
    assert parse_handshake(scope(query=f"after={text}")).after == after
