"""The documented Python client against a running site: nothing is lost or doubled."""

import asyncio
import random
from uuid import uuid4

import pytest

from chat.cli import chat_client
from chat.cli.chat_client import ChatClient, Frame, begin_session
from tests.acceptance.dropping_proxy import DroppingProxy
from tests.client import history
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

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


async def test_it_sends_and_reads_replies(stack: Stack, model_stub: ModelStub) -> None:
    token = begin_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        message = await client.send("hello")
        frames = await until(client, "reply.completed")

    assert frames[-1]["message"]["msg"] == "You said: hello"
    assert frames[-1]["message"]["reply_to"] == message


async def test_messages_sent_at_once_are_accepted_in_order(
    stack: Stack, model_stub: ModelStub
) -> None:
    texts = [f"message {number}" for number in range(12)]
    token = begin_session(stack.url, "Ada")
    async with ChatClient(stack.url, token) as client:
        for text in texts:
            await client.send(text)
        frames = await until(client, "reply.completed", len(texts))

    accepted = [frame["message"]["msg"] for frame in frames if frame["type"] == "message.accepted"]
    assert accepted == texts


async def test_a_lost_connection_loses_and_duplicates_nothing(
    stack: Stack, model_stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twelve cuts in a row would otherwise add up to minutes of backoff.
    monkeypatch.setattr(chat_client, "LONGEST_WAIT_S", 0.5)
    model_stub.always(LONG_REPLY)
    token = begin_session(stack.url, "Ada")
    cuts = random.Random(7)
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        # After the handshake, anywhere: inside a delta or `session.ready`.
        proxy.cut_after = iter([cuts.randint(600, 1600) for _ in range(12)])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            for text in ("one", "two", "three"):
                await client.send(text)
            frames = await until(client, "reply.completed", 3)
        assert proxy.connections > 3

    messages = [frame["message"] for frame in frames if "message" in frame]
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5, 6]
    stored = history(stack.url, token)
    assert [message["id"] for message in messages] == [message["id"] for message in stored]
    texts = streamed(frames)
    for message in (one for one in messages if one["source"] == "bot"):
        assert message["msg"] == "".join(LONG_REPLY.pieces or ()).strip()
        assert message["msg"].startswith(texts.pop(message["id"], ""))
    assert texts == {}


def streamed(frames: list[Frame]) -> dict[str, str]:
    """Return the text of each reply from its deltas; fails if one is missing or repeated."""
    texts: dict[str, str] = {}
    for frame in frames:
        if frame["type"] == "reply.delta":
            text = texts.setdefault(frame["id"], "")
            assert frame["offset"] == len(text)
            texts[frame["id"]] = text + frame["text"]
    return texts


async def test_it_reconnects_while_the_server_is_away(stack: Stack, model_stub: ModelStub) -> None:
    token = begin_session(stack.url, "Ada")
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        proxy.cut_after = iter([0, 0, 0])
        async with ChatClient(f"http://127.0.0.1:{proxy.port}", token) as client:
            await client.send("hello")
            frames = await until(client, "reply.completed")

    assert [frame["type"] for frame in frames[:3]] == ["connection.lost"] * 3
    assert [message["seq"] for message in history(stack.url, token)] == [1, 2]


async def test_a_rejected_message_does_not_delay_the_next(
    stack: Stack, model_stub: ModelStub
) -> None:
    async with ChatClient(stack.url, begin_session(stack.url, "Ada")) as client:
        rejected = await client.send(" ")
        await client.send("hello")
        frames = await until(client, "reply.completed")

    errors = [frame for frame in frames if frame["type"] == "error"]
    assert [(error["code"], error["ref"]) for error in errors] == [("message.empty", rejected)]


async def test_an_unknown_session_raises(stack: Stack) -> None:
    async with ChatClient(stack.url, str(uuid4())) as client:
        with pytest.raises(ConnectionAbortedError, match="expired"):
            await until(client, "session.ready")


async def test_an_address_without_a_chat_raises(stack: Stack) -> None:
    async with ChatClient(f"{stack.url}/elsewhere", str(uuid4())) as client:
        with pytest.raises(ConnectionRefusedError, match="403"):
            await until(client, "session.ready")
