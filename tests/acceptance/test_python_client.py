"""The documented Python client against a running site: nothing is lost or duplicated."""

import asyncio
import random
from uuid import uuid4

import pytest

from chat.cli import chat_client
from chat.cli.chat_client import ChatClient, Frame, create_session
from tests.acceptance.dropping_proxy import DroppingProxy
from tests.client import history
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

TIMEOUT_S = 60
LONG_REPLY = Behaviour(pieces=tuple(f" {number}" for number in range(60)), piece_delay_s=0.02)


async def read_until(client: ChatClient, type_: str, count: int = 1) -> list[Frame]:
    """Return all frames up to the `count`th of a type."""
    frames: list[Frame] = []
    async with asyncio.timeout(TIMEOUT_S):
        async for frame in client.frames():
            frames.append(frame)
            count -= frame["type"] == type_
            if not count:
                break
    return frames


async def test_it_sends_a_message_and_receives_the_reply(
    stack: Stack, model_stub: ModelStub
) -> None:
    token = create_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        message = await client.send("hello")
        frames = await read_until(client, "reply.completed")

    assert frames[-1]["message"]["msg"] == "You said: hello"
    assert frames[-1]["message"]["reply_to"] == message


async def test_messages_sent_at_once_are_accepted_in_order(
    stack: Stack, model_stub: ModelStub
) -> None:
    texts = [f"message {number}" for number in range(12)]
    token = create_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        for text in texts:
            await client.send(text)
        frames = await read_until(client, "reply.completed", len(texts))

    accepted = [frame["message"]["msg"] for frame in frames if frame["type"] == "message.accepted"]
    assert accepted == texts


async def test_a_lost_connection_loses_and_duplicates_nothing(
    stack: Stack, model_stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The backoff of twelve lost connections would otherwise add up to minutes.
    monkeypatch.setattr(chat_client, "LONGEST_WAIT_S", 0.5)
    model_stub.always(LONG_REPLY)
    token = create_session(stack.url, "Ada")
    chance = random.Random(7)
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        # Anywhere after the handshake: inside a delta or `session.ready`.
        proxy.drop_after = iter([chance.randint(600, 1600) for _ in range(12)])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            for text in ("one", "two", "three"):
                await client.send(text)
            frames = await read_until(client, "reply.completed", 3)
        assert proxy.connections > 3

    messages = [frame["message"] for frame in frames if "message" in frame]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5, 6]
    stored = history(stack.url, token)
    assert [message["id"] for message in messages] == [message["id"] for message in stored]
    texts = streamed_texts(frames)
    for message in (each for each in messages if each["source"] == "bot"):
        assert message["msg"] == "".join(LONG_REPLY.pieces or ()).strip()
        assert message["msg"].startswith(texts.pop(message["id"], ""))
    assert texts == {}


def streamed_texts(frames: list[Frame]) -> dict[str, str]:
    """Return the text of each reply from its deltas; fails if one is missing or repeated."""
    texts: dict[str, str] = {}
    for frame in frames:
        if frame["type"] == "reply.delta":
            text = texts.setdefault(frame["id"], "")
            assert frame["offset"] == len(text)
            texts[frame["id"]] = text + frame["text"]
    return texts


async def test_it_reconnects_until_the_server_responds(stack: Stack, model_stub: ModelStub) -> None:
    token = create_session(stack.url, "Ada")
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        proxy.drop_after = iter([0, 0, 0])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            await client.send("hello")
            frames = await read_until(client, "reply.completed")

    assert [frame["type"] for frame in frames[:3]] == ["connection.lost"] * 3
    assert [message["seq"] for message in history(stack.url, token)] == [1, 2]


async def test_a_rejected_message_does_not_delay_the_next(
    stack: Stack, model_stub: ModelStub
) -> None:
    async with ChatClient(stack.url, create_session(stack.url, "Ada")) as client:
        rejected = await client.send(" ")
        await client.send("hello")
        frames = await read_until(client, "reply.completed")

    errors = [frame for frame in frames if frame["type"] == "error"]
    assert [(error["code"], error["ref"]) for error in errors] == [("message.empty", rejected)]


async def test_an_unknown_session_raises(stack: Stack) -> None:
    async with ChatClient(stack.url, str(uuid4())) as client:
        with pytest.raises(ConnectionAbortedError, match="expired"):
            await read_until(client, "session.ready")


async def test_an_address_without_a_chat_raises(stack: Stack) -> None:
    async with ChatClient(f"{stack.url}/elsewhere", str(uuid4())) as client:
        with pytest.raises(ConnectionRefusedError, match="403"):
            await read_until(client, "session.ready")
