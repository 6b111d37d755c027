"""The Python client of the documents, on the wire: what it promises about lost connections."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from websockets.asyncio.server import ServerConnection, serve

from chat.cli.chat_client import ChatClient, Frame, begin_session
from tests.acceptance.dropping_proxy import DroppingProxy
from tests.client import history
from tests.model_stub import Behaviour, ModelStub
from tests.processes import ROOT, Stack

TIMEOUT_S = 60
LONG_REPLY = Behaviour(pieces=tuple(f" {number}" for number in range(60)), piece_delay_s=0.02)


async def until(client: ChatClient, type_: str, count: int = 1) -> list[Frame]:
    """Return all frames up to the `count`th of a type."""
    frames: list[Frame] = []
    async with asyncio.timeout(TIMEOUT_S):
        async for frame in client.frames():
            frames.append(frame)
            count -= frame["type"] == type_
            if not count:
                break
    return frames


def test_it_is_one_file_of_at_most_150_lines_that_needs_websockets_only() -> None:
    text = Path(ROOT, "docs", "clients", "chat_client.py").read_text()
    assert len(text.splitlines()) <= 150
    assert "django" not in text
    assert "from chat" not in text


async def test_it_sends_and_reads_replies(stack: Stack, model_stub: ModelStub) -> None:
    token = begin_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        message = await client.send("hello")
        frames = await until(client, "reply.completed")

    assert frames[-1]["message"]["msg"] == "You said: hello"
    assert frames[-1]["message"]["reply_to"] == message


async def test_messages_given_at_once_are_accepted_in_order(
    stack: Stack, model_stub: ModelStub
) -> None:
    texts = [f"message {number}" for number in range(12)]
    token = begin_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        for text in texts:
            await client.send(text)
        frames = await until(client, "reply.completed", len(texts))

    told = [frame["message"]["msg"] for frame in frames if frame["type"] == "message.accepted"]
    assert told == texts


async def test_a_cut_connection_costs_and_doubles_nothing(
    stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.always(LONG_REPLY)
    token = begin_session(stack.url, "Ada")
    cuts = random.Random(7)
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        # Enough for the handshake at least, then anywhere: in a delta, in `session.ready`.
        proxy.cut_after = iter([cuts.randint(600, 1600) for _ in range(12)])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            for text in ("one", "two", "three"):
                await client.send(text)
            frames = await until(client, "reply.completed", 3)
        assert proxy.connections > 3

    told = [frame["message"] for frame in frames if "message" in frame]
    assert [message["seq"] for message in told] == [1, 2, 3, 4, 5, 6]
    stored = history(stack.url, token)
    assert [message["id"] for message in told] == [message["id"] for message in stored]
    begun = written(frames)
    for message in (one for one in told if one["source"] == "bot"):
        assert message["msg"] == "".join(LONG_REPLY.pieces or ()).strip()
        assert message["msg"].startswith(begun.pop(message["id"], ""))
    assert begun == {}


def written(frames: list[Frame]) -> dict[str, str]:
    """Return the text of each reply as its deltas tell it; fails where they are not in a row."""
    texts: dict[str, str] = {}
    for frame in frames:
        if frame["type"] == "reply.delta":
            text = texts.setdefault(frame["id"], "")
            assert frame["offset"] == len(text)
            texts[frame["id"]] = text + frame["text"]
    return texts


async def test_it_comes_back_while_the_server_is_away(stack: Stack, model_stub: ModelStub) -> None:
    token = begin_session(stack.url, "Ada")
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        proxy.cut_after = iter([0, 0, 0])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            await client.send("hello")
            frames = await until(client, "reply.completed")

    assert [frame["type"] for frame in frames[:3]] == ["connection.lost"] * 3
    assert [message["seq"] for message in history(stack.url, token)] == [1, 2]


async def test_a_refused_message_does_not_hold_up_the_next(
    stack: Stack, model_stub: ModelStub
) -> None:
    async with ChatClient(stack.url, begin_session(stack.url, "Ada")) as client:
        refused = await client.send(" ")
        await client.send("hello")
        frames = await until(client, "reply.completed")

    errors = [frame for frame in frames if frame["type"] == "error"]
    assert [(error["code"], error["ref"]) for error in errors] == [("message.empty", refused)]


async def test_an_unknown_session_is_told(stack: Stack) -> None:
    async with ChatClient(stack.url, str(uuid4())) as client:
        with pytest.raises(ConnectionAbortedError, match="expired"):
            await until(client, "session.ready")


async def test_an_address_that_is_no_chat_is_told(stack: Stack) -> None:
    async with ChatClient(f"{stack.url}/elsewhere", str(uuid4())) as client:
        with pytest.raises(ConnectionRefusedError, match="403"):
            await until(client, "session.ready")


async def test_a_gap_is_asked_for_and_filled_and_a_repetition_is_not_told() -> None:
    """A server of its own kind, as ours leaves no gaps: it tells the third message too early."""
    asked: list[Frame] = []
    token = str(uuid4())

    def message(seq: int) -> Frame:
        return {"id": str(uuid4()), "seq": seq, "source": "human", "msg": str(seq)}

    async def leave_a_gap(socket: ServerConnection) -> None:
        ready: Frame = {"type": "session.ready", "recovered": True, "reply": None, "messages": []}
        await socket.send(json.dumps(ready))
        for seq in (1, 3):
            await socket.send(json.dumps({"type": "message.accepted", "message": message(seq)}))
        asked.append(json.loads(await socket.recv()))
        await socket.send(json.dumps(ready | {"messages": [message(seq) for seq in (1, 2, 3)]}))
        await socket.wait_closed()

    subprotocols: Any = ["chat.v1"]
    async with serve(leave_a_gap, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with ChatClient(f"http://127.0.0.1:{port}", token) as client:
            frames = await until(client, "message.accepted", 3)

    assert asked == [{"type": "session.sync", "after": 1}]
    assert [frame["message"]["seq"] for frame in frames if "message" in frame] == [1, 2, 3]
