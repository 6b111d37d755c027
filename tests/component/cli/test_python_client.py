"""The documented Python client against a scripted server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from websockets.asyncio.server import ServerConnection, serve

from chat.cli.chat_client import ChatClient, Frame
from tests.processes import ROOT

READY: Frame = {
    "type": "session.ready",
    "recovered": True,
    "has_earlier": False,
    "reply": None,
    "messages": [],
}
TIMEOUT_S = 10


def message(seq: int) -> Frame:
    return {"id": str(uuid4()), "seq": seq, "source": "human", "msg": str(seq)}


@asynccontextmanager
async def client_of(
    script: Callable[[ServerConnection], Coroutine[Any, Any, None]], model: str | None = None
) -> AsyncIterator[ChatClient]:
    """Connect a client to a server that runs `script` for each connection."""

    async def handle(socket: ServerConnection) -> None:
        await script(socket)
        await socket.wait_closed()

    subprotocols: Any = ["chat.v1"]
    async with serve(handle, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with ChatClient(f"http://127.0.0.1:{port}", str(uuid4()), model) as client:
            yield client


async def until(client: ChatClient, is_last: Callable[[Frame], bool]) -> list[Frame]:
    frames: list[Frame] = []
    async with asyncio.timeout(TIMEOUT_S):
        async for frame in client.frames():
            frames.append(frame)
            if is_last(frame):
                break
    return frames


async def send(socket: ServerConnection, frame: Frame) -> None:
    await socket.send(json.dumps(frame))


def test_it_is_one_short_file_that_needs_only_websockets() -> None:
    text = Path(ROOT, "docs", "clients", "chat_client.py").read_text()
    assert len(text.splitlines()) <= 200
    assert "django" not in text
    assert "from chat" not in text


async def test_a_gap_is_requested_and_filled_and_a_repeated_message_is_dropped() -> None:
    requested: list[Frame] = []

    async def leave_a_gap(socket: ServerConnection) -> None:
        await send(socket, READY)
        for seq in (1, 3):
            await send(socket, {"type": "message.accepted", "message": message(seq)})
        requested.append(json.loads(await socket.recv()))
        await send(socket, READY | {"messages": [message(seq) for seq in (1, 2, 3)]})

    async with client_of(leave_a_gap) as client:
        frames = await until(client, lambda frame: frame.get("message", {}).get("seq") == 3)

    assert requested == [{"type": "session.sync", "after": 1, "ratings_revision": 0}]
    assert [frame["message"]["seq"] for frame in frames if "message" in frame] == [1, 2, 3]


async def test_more_missed_messages_than_a_page_are_requested_before_newer_ones() -> None:
    requested: list[Frame] = []

    async def pages(socket: ServerConnection) -> None:
        assert socket.request
        if "after=0&" in socket.request.path:
            await send(socket, READY | {"messages": [message(1)]})
            await socket.close()
            return
        await send(socket, READY | {"messages": [message(6), message(7)], "has_earlier": True})
        requested.append(json.loads(await socket.recv()))
        await send(socket, {"type": "message.accepted", "message": message(8)})
        page = {"type": "session.messages", "before": 6, "has_earlier": True}
        await send(socket, page | {"messages": [message(4), message(5)]})
        requested.append(json.loads(await socket.recv()))
        last = {"type": "session.messages", "before": 4, "has_earlier": False}
        await send(socket, last | {"messages": [message(n) for n in (1, 2, 3)]})
        requested.append(json.loads(await socket.recv()))
        await send(socket, READY | {"messages": [message(8)]})

    async with client_of(pages) as client:
        frames = await until(client, lambda frame: frame.get("message", {}).get("seq") == 8)

    assert requested == [
        {"type": "session.history", "before": 6},
        {"type": "session.history", "before": 4},
        {"type": "session.sync", "after": 7, "ratings_revision": 0},
    ]
    assert [frame["message"]["seq"] for frame in frames if "message" in frame] == list(range(1, 9))


async def test_text_is_yielded_once_across_reconnects() -> None:
    reply = {"id": "r1", "reply_to": "m1"}
    partial_replies = iter(["one two", "one two three"])

    async def disconnect(socket: ServerConnection) -> None:
        text = next(partial_replies)
        await send(socket, READY | {"reply": reply | {"text": text}})
        offset = len(text) - 3  # overlaps with the partial reply
        end = {"type": "reply.delta", "offset": offset, "text": f"{text[-3:]} end"}
        if text == "one two":
            await socket.close()
        else:
            await send(socket, reply | end)

    async with client_of(disconnect) as client:
        frames = await until(client, lambda frame: "end" in frame.get("text", ""))

    deltas = [frame for frame in frames if frame["type"] == "reply.delta"]
    assert "".join(delta["text"] for delta in deltas) == "one two three end"
    assert [delta["offset"] for delta in deltas] == [0, 7, 13]
    assert [frame["type"] for frame in frames].count("connection.lost") == 1
    assert [frame["type"] for frame in frames].count("reply.started") == 1


async def test_a_message_is_resent_with_its_id_until_it_is_accepted() -> None:
    received: list[Frame] = []

    async def accept_the_second(socket: ServerConnection) -> None:
        await send(socket, READY)
        received.append(frame := json.loads(await socket.recv()))
        if len(received) == 1:
            await socket.close()
            return
        accepted = message(1) | {"id": frame["id"]}
        await send(socket, {"type": "message.accepted", "message": accepted})

    async with client_of(accept_the_second) as client:
        id_ = await client.send("hello")
        await until(client, lambda frame: frame["type"] == "message.accepted")

    assert received == [{"type": "message.send", "id": id_, "msg": "hello"}] * 2


async def test_the_chosen_model_is_sent_with_each_message() -> None:
    requested: list[Frame] = []

    async def accept(socket: ServerConnection) -> None:
        await send(socket, READY)
        requested.append(json.loads(await socket.recv()))
        accepted = message(1) | {"id": requested[0]["id"]}
        await send(socket, {"type": "message.accepted", "message": accepted})

    async with client_of(accept, model="fast") as client:
        await client.send("hello")
        await until(client, lambda frame: frame["type"] == "message.accepted")
    assert requested[0]["model"] == "fast"
