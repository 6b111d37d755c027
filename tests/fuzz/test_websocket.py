"""Random frames and handshakes to both web servers."""

import asyncio
import json
import os
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chat.protocol import Error, MessageAccepted, server_frames
from tests.client import CHAT_V1, create_session
from tests.fuzz.conftest import TIMEOUT_S, Server, handshake_response
from tests.fuzz.strategies import ID, frame_texts

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
REAL_SERVER = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
frames = st.lists(st.one_of(st.binary(max_size=50), frame_texts), min_size=1, max_size=10)


@given(sent=frames)
@REAL_SERVER
def test_no_frame_of_chat_v1_closes_the_socket(server: Server, sent: list[str | bytes]) -> None:
    asyncio.run(_send_to_chat_v1(server, sent))
    server.check()


async def _send_to_chat_v1(server: Server, sent: list[str | bytes]) -> None:
    token = await asyncio.to_thread(create_session, server.url)
    async with (
        asyncio.timeout(TIMEOUT_S),
        connect(server.ws_url, subprotocols=[CHAT_V1, f"token.{token}"], proxy=None) as socket,  # type: ignore[list-item]
    ):
        for frame in sent:
            await socket.send(_encodable(frame))
        # The last frame is answered after all others.
        last = str(uuid4())
        await socket.send(json.dumps({"type": "message.send", "id": last, "msg": "the end"}))
        while True:
            match server_frames.validate_json(await socket.recv()):
                case MessageAccepted(message=message) if message.msg == "the end":
                    return
                case Error(ref=str(ref)) if ref == last:
                    return


@given(sent=frames)
@REAL_SERVER
def test_no_text_closes_a_plain_socket(server: Server, sent: list[str | bytes]) -> None:
    asyncio.run(_send_to_plain(server, sent))
    server.check()


async def _send_to_plain(server: Server, sent: list[str | bytes]) -> None:
    token = await asyncio.to_thread(create_session, server.url)
    url = f"{server.ws_url}?token={token}"
    async with asyncio.timeout(TIMEOUT_S), connect(url, proxy=None) as socket:
        for frame in sent:
            await socket.send(_encodable(frame))
        last = f"the end {uuid4()}"
        await socket.send(last)
        reply = {"msg": ""}
        while last not in reply["msg"]:
            reply = json.loads(await socket.recv())
            if reply.get("error") == "session.busy":  # after some of the others
                await socket.send(last)


@pytest.mark.parametrize("origin", ["http://[", "http://a:b", "null", "//"])
def test_a_malformed_origin_is_refused(server: Server, origin: str) -> None:
    asyncio.run(_refuse(server, origin))
    server.check()


async def _refuse(server: Server, origin: str) -> None:
    url = f"{server.ws_url}?token={await asyncio.to_thread(create_session, server.url)}"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"Origin": origin}, proxy=None):
            pass
    # daphne answers some itself, with 400.
    assert refused.value.response.status_code in (400, 403)


@given(
    query=st.text(
        st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="#"), max_size=30
    ),
    offered=st.sampled_from(
        ["", "chat.v1", "chat.v1, token.x", f"token.{ID}, chat.v1", ",,", '"x"']
    ),
    cookie=st.sampled_from(
        ["", "chat_token=x", f"chat_token={ID}", 'chat_token="', "a=[;b", "=;="]
    ),
)
@REAL_SERVER
def test_no_handshake_is_a_server_error(
    server: Server, query: str, offered: str, cookie: str
) -> None:
    lines = [
        f"GET /chat?{query} HTTP/1.1",
        *("Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        *([f"Sec-WebSocket-Protocol: {offered}"] if offered else []),
        *([f"Cookie: {cookie}"] if cookie else []),
        *("", ""),
    ]
    response = handshake_response(server.web.port, "\r\n".join(lines).encode("latin-1"))
    assert response[9:12] in (b"101", b"400", b"403"), response
    server.check()


def _encodable(frame: str | bytes) -> str | bytes:
    return frame if isinstance(frame, bytes) else frame.encode("utf-8", "replace").decode()
