"""ChatConsumer in Channels' WebsocketCommunicator: handshake, frames, valid and invalid events."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers
from channels.testing import WebsocketCommunicator

from chat import consumers
from chat.consumers import ChatConsumer
from chat.errors import QueueUnavailable, StoreUnavailable
from chat.events.delivery import group_name
from chat.events.published_frame import frames_event
from chat.protocol import MessageAccepted, ReplyCompleted
from chat.schemas import session_id
from chat.store import sessions
from chat.store.client import AsyncStore, Store
from chat.websocket.session_socket import END_REASON, _send_if_connected
from chat.websocket.timers import SessionTimers
from tests.component.conftest import LIMITS, send_message, store_reply

Communicator = WebsocketCommunicator
V1 = ["chat.v1"]


class Publisher:
    """Records which sessions are enqueued."""

    def __init__(self) -> None:
        self.enqueued: list[str] = []
        self.fails = False

    async def enqueue_answer(self, session: str) -> None:
        self.enqueued.append(session)
        if self.fails:
            raise QueueUnavailable


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch, async_store: AsyncStore) -> Publisher:
    publisher = Publisher()
    monkeypatch.setattr(consumers, "task_publisher", lambda: publisher)
    monkeypatch.setattr(consumers, "async_store", lambda: async_store)
    monkeypatch.setattr(consumers, "limits", lambda: LIMITS)
    return publisher


@pytest.fixture
def layer() -> Iterator[InMemoryChannelLayer]:
    layer = InMemoryChannelLayer()
    previous = channel_layers.set("default", layer)
    yield layer
    if previous:
        channel_layers.set("default", previous)


@pytest.fixture
def token(store: Store) -> str:
    token = str(uuid4())
    store.run(sessions.create(session_id(token), "Ada", address=token, limits=LIMITS))
    return token


def communicator(token: str = "", subprotocols: list[str] | None = None) -> Communicator:
    path = f"/chat?token={token}" if token else "/chat"
    return WebsocketCommunicator(ChatConsumer.as_asgi(), path, subprotocols=subprotocols)


async def receive(socket: Communicator) -> dict[str, Any]:
    return dict(json.loads(await socket.receive_from()))


@pytest.fixture
async def socket(
    publisher: Publisher, layer: InMemoryChannelLayer, token: str
) -> AsyncIterator[Communicator]:
    """An open chat.v1 socket that has received `session.ready`."""
    socket = communicator(token, V1)
    assert await socket.connect() == (True, "chat.v1")
    assert (await receive(socket))["type"] == "session.ready"
    yield socket
    await socket.disconnect()


async def send_event(layer: InMemoryChannelLayer, token: str, event: dict[str, Any]) -> None:
    session = session_id(token)
    await layer.group_send(group_name(session), event | {"session": session})


async def test_a_plain_handshake_without_a_token_is_rejected(
    publisher: Publisher, layer: InMemoryChannelLayer
) -> None:
    assert (await communicator().connect())[0] is False


async def test_a_v1_client_without_a_token_gets_an_error_and_a_close(
    publisher: Publisher, layer: InMemoryChannelLayer
) -> None:
    socket = communicator(subprotocols=V1)
    await socket.connect()
    assert (await receive(socket))["code"] == "session.unknown"
    assert (await socket.receive_output())["code"] == 1008


async def test_one_socket_too_many_is_told_the_limit(
    publisher: Publisher, layer: InMemoryChannelLayer, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "limits", lambda: replace(LIMITS, sockets_per_session=0))
    socket = communicator(token, V1)
    await socket.connect()
    error = await receive(socket)
    assert (error["code"], error["limit"]) == ("rate.limited", "sockets")
    assert (await socket.receive_output())["code"] == 1013


async def test_a_ping_is_answered_and_does_not_count_as_progress(
    socket: Communicator, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []
    monkeypatch.setattr(SessionTimers, "record_progress", lambda *progress: noted.append(progress))
    await socket.send_to(json.dumps({"type": "session.ping"}))
    assert await receive(socket) == {"type": "session.pong"}
    assert noted == [], "or pings would keep the timers from noticing that an event was lost"


async def test_a_message_is_accepted_and_enqueued(
    socket: Communicator, publisher: Publisher, token: str
) -> None:
    id_ = str(uuid4())
    await socket.send_json_to({"type": "message.send", "id": id_, "msg": "hello"})
    frame = await receive(socket)
    assert (frame["type"], frame["message"]["id"]) == ("message.accepted", id_)
    assert publisher.enqueued == [session_id(token)]


async def test_a_broker_failure_is_reported_with_the_id_of_the_message(
    socket: Communicator, publisher: Publisher
) -> None:
    publisher.fails = True
    id_ = str(uuid4())
    await socket.send_json_to({"type": "message.send", "id": id_, "msg": "hello"})
    frames = [await receive(socket), await receive(socket)]
    error = next(frame for frame in frames if frame["type"] == "error")
    assert (error["code"], error["ref"]) == ("queue.unavailable", id_)


async def test_a_stored_message_is_enqueued_even_if_the_document_cannot_be_loaded(
    socket: Communicator,
    publisher: Publisher,
    store: Store,
    async_store: AsyncStore,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send_message(
        store, session_id(token), "from a lost event"
    )  # so that the next message shows a gap
    run = async_store.run

    async def fail_to_load(command: Any) -> Any:
        if command.script == "load":
            raise StoreUnavailable
        return await run(command)

    monkeypatch.setattr(async_store, "run", fail_to_load)
    await socket.send_json_to({"type": "message.send", "id": str(uuid4()), "msg": "hello"})
    assert await socket.receive_nothing(timeout=0.2)
    assert publisher.enqueued == [session_id(token)]


async def test_an_event_is_forwarded_unchanged(
    socket: Communicator, layer: InMemoryChannelLayer, store: Store, token: str
) -> None:
    frame = MessageAccepted(message=send_message(store, session_id(token)).public())
    await send_event(layer, token, frames_event([frame], None))
    assert await socket.receive_from() == frame.model_dump_json()


async def test_an_event_of_another_session_is_dropped(
    socket: Communicator, layer: InMemoryChannelLayer, store: Store, token: str
) -> None:
    frame = MessageAccepted(message=send_message(store, session_id(token)).public())
    event = frames_event([frame], None) | {"session": "0" * 32}
    await layer.group_send(group_name(session_id(token)), event)
    assert await socket.receive_nothing(timeout=0.2)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.renamed_by_another_version"},
        {"type": "session.event"},
        {"type": "session.event", "frames": [("message.accepted", "{}")]},
        {"type": "session.event", "frames": [["a"]], "positions": [{}]},
        {"type": "session.event", "frames": [("a", "")], "positions": [{"type": "a", "seq": "7"}]},
        {
            "type": "session.event",
            "frames": [("reply.delta", "{}")],
            "positions": [{"type": "reply.delta", "offset": None}],
        },
    ],
)
async def test_an_invalid_event_causes_a_resync(
    socket: Communicator,
    layer: InMemoryChannelLayer,
    store: Store,
    token: str,
    event: dict[str, Any],
) -> None:
    send_message(store, session_id(token))
    await send_event(layer, token, event)
    assert (await receive(socket))["type"] == "message.accepted"


async def test_the_socket_of_an_erased_session_is_closed(
    socket: Communicator, layer: InMemoryChannelLayer, store: Store, token: str
) -> None:
    store.run(sessions.erase(session_id(token)))
    await send_event(layer, token, {"type": "session.changed"})
    assert (await receive(socket))["type"] == "session.expired"
    close = await socket.receive_output()
    assert (close["code"], close["reason"]) == (1008, END_REASON)


@pytest.mark.parametrize(
    ("text", "code"),
    [("no json", "message.invalid"), ("{}", "message.invalid"), ("x" * 70_000, "message.too_long")],
)
async def test_an_invalid_frame_gets_an_error_and_the_socket_stays_open(
    socket: Communicator, text: str, code: str
) -> None:
    await socket.send_to(text)
    assert (await receive(socket))["code"] == code
    await socket.send_json_to({"type": "session.sync"})
    assert (await receive(socket))["type"] == "session.ready"


async def test_a_binary_frame_gets_an_error(socket: Communicator) -> None:
    await socket.send_to(bytes_data=b"hello")
    assert (await receive(socket))["code"] == "message.invalid"


async def test_a_plain_client_receives_only_replies(
    publisher: Publisher, layer: InMemoryChannelLayer, store: Store, token: str
) -> None:
    socket = communicator(token)
    assert await socket.connect() == (True, None)
    await socket.send_to("hello")
    assert await socket.receive_nothing(timeout=0.2)
    reply = ReplyCompleted(message=store_reply(store, session_id(token)).public())
    await send_event(layer, token, frames_event([reply], None))
    frame = await receive(socket)
    assert frame.keys() == {"id", "msg", "timestamp"}
    await socket.disconnect()


async def test_a_flooding_client_is_closed_and_ignored(
    socket: Communicator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.websocket.rate_limit.MAX_REFUSED", 3)
    # The communicator buffers every frame; a server would abort the connection earlier.
    monkeypatch.setattr("chat.websocket.backpressure.MAX_UNHANDLED_FRAMES", 10**6)
    for _ in range(2 * LIMITS.messages_per_minute):
        await socket.send_to("{}")
    while (output := await socket.receive_output(timeout=5))["type"] == "websocket.send":
        pass
    assert (output["type"], output["code"]) == ("websocket.close", 1008)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),  # uvicorn's ClientDisconnected is an OSError, too
        RuntimeError("Expected ASGI message 'websocket.accept' but got 'websocket.send'."),
    ],
    ids=["disconnected", "accept dropped"],
)
async def test_a_send_after_the_client_disconnected_is_no_error(error: Exception) -> None:
    async def send(message: dict[str, Any]) -> None:
        raise error

    await _send_if_connected(send, {"type": "websocket.send"})


async def test_another_error_of_a_send_is_raised() -> None:
    async def send(message: dict[str, Any]) -> None:
        raise RuntimeError("Unexpected ASGI message")

    with pytest.raises(RuntimeError):
        await _send_if_connected(send, {"type": "websocket.send"})
