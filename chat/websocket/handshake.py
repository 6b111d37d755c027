"""What a handshake says about the client: codec, token and address."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from chat.addresses import LOCAL
from chat.protocol import SUBPROTOCOL
from chat.schemas import parse_uuid, session_id
from chat.websocket.codecs import ChatV1Codec, Codec, PlainCodec

COOKIE = "chat_token"


@dataclass(frozen=True)
class Handshake:
    """A client that connects. `session` is None if it has no valid token."""

    codec: Codec
    session: str | None
    address: str
    after: int
    ratings_revision: int


def parse_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Read an ASGI scope. A token may be in the subprotocols, the query or the page's cookie."""
    offered = scope.get("subprotocols", [])
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    is_v1 = SUBPROTOCOL in offered
    tokens = [entry.removeprefix("token.") for entry in offered if entry.startswith("token.")]
    tokens += query.get("token", [])
    if is_v1:
        tokens += _cookie(scope)
    return Handshake(
        codec=ChatV1Codec() if is_v1 else PlainCodec(),
        session=_session(tokens[0]) if tokens else None,
        address=(scope.get("client") or [LOCAL])[0],
        after=_number(query.get("after", ["0"])[0], digits=9),
        ratings_revision=_number(query.get("ratings_revision", ["0"])[0], digits=15),
    )


def _session(token: str) -> str | None:
    try:
        return session_id(str(parse_uuid(token)))
    except ValueError:
        return None


def _number(text: str, digits: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else 0


def _cookie(scope: Mapping[str, Any]) -> list[str]:
    header = dict(scope.get("headers", [])).get(b"cookie", b"").decode("latin-1")
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except Exception:  # noqa: BLE001 another site's cookie raises more than CookieError
        return []
    return [morsel.value] if morsel else []
