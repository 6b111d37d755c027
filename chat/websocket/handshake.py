"""Who is on the other end of a socket: the dialect, the token and the address in a scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from chat.protocol import SUBPROTOCOL
from chat.schemas import session_id
from chat.websocket.codecs import ChatV1Codec, Dialect, PlainCodec

COOKIE = "chat_token"


@dataclass(frozen=True)
class Handshake:
    """A client at the handshake. `session` is None where it brought no readable token."""

    dialect: Dialect
    session: str | None
    address: str
    after: int


def parse_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Read a handshake: the offered subprotocols, then the query, then the page's cookie."""
    offered = scope.get("subprotocols", [])
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    speaks_v1 = SUBPROTOCOL in offered
    tokens = [entry.removeprefix("token.") for entry in offered if entry.startswith("token.")]
    tokens += query.get("token", [])
    if speaks_v1:
        tokens += _cookie(scope)
    return Handshake(
        dialect=ChatV1Codec() if speaks_v1 else PlainCodec(),
        session=_session(tokens[0]) if tokens else None,
        address=(scope.get("client") or ["local"])[0],
        after=_count(query.get("after", ["0"])[0]),
    )


def _session(token: str) -> str | None:
    try:
        return session_id(str(UUID(token)))
    except ValueError:
        return None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _cookie(scope: Mapping[str, Any]) -> list[str]:
    header = dict(scope.get("headers", [])).get(b"cookie", b"").decode("latin-1")
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except Exception:  # noqa: BLE001 CookieError is not the only thing a foreign cookie raises
        return []
    return [morsel.value] if morsel else []
