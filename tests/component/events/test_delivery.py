"""Delivery publishes from threads, in order per session, and drops frames it cannot send."""

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest
from channels.layers import channel_layers

from chat.events import delivery
from chat.events.delivery import CHANGED, Delivery, group_name, publish
from chat.events.outbox import OutboxFull
from chat.events.published_frame import InvalidEvent, frames_event, frames_of
from chat.protocol import ReplyDelta, ReplyStarted

MESSAGE, REPLY = uuid4(), uuid4()
STARTED = ReplyStarted(reply_to=MESSAGE, id=REPLY)


class Layer:
    """A channel layer that records events, or raises `error`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.arrived = threading.Semaphore(0)
        self.error: Exception | None = None
        self.round_trips = 0
        self.reached = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    async def group_send_all(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        self.round_trips += 1
        self.reached.release()
        await asyncio.to_thread(self.gate.wait, 1)
        for group, event in events:
            await self.group_send(group, event)

    async def group_send(self, group: str, event: dict[str, Any]) -> None:
        if self.error:
            self.arrived.release()
            raise self.error
        self.sent.append((group, event))
        self.arrived.release()


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    layer = Layer()
    monkeypatch.setattr(channel_layers, "make_backend", lambda name: layer)
    monkeypatch.setattr(delivery, "get_channel_layer", lambda: layer)
    return layer


def delta(offset: int, text: str) -> ReplyDelta:
    return ReplyDelta(reply_to=MESSAGE, id=REPLY, offset=offset, text=text)


def test_frames_of_a_session_arrive_in_order_with_its_id(layer: Layer) -> None:
    sender = Delivery()
    sender.publish("ada", STARTED)
    assert layer.arrived.acquire(timeout=1)
    sender.publish("ada", delta(0, "one"))
    assert layer.arrived.acquire(timeout=1)
    assert [group for group, _ in layer.sent] == [group_name("ada")] * 2
    frames = [frame for _, event in layer.sent for frame in frames_of(event)]
    assert [frame.position.type for frame in frames] == ["reply.started", "reply.delta"]
    assert {event["session"] for _, event in layer.sent} == {"ada"}


def test_a_change_is_published(layer: Layer) -> None:
    Delivery().publish_change("ada")
    assert layer.arrived.acquire(timeout=1)
    assert layer.sent == [(group_name("ada"), CHANGED | {"session": "ada"})]


def test_what_is_published_while_events_are_sent_is_sent_together(layer: Layer) -> None:
    layer.gate.clear()
    sender = Delivery()
    sender.publish("ada", STARTED)
    assert layer.reached.acquire(timeout=1)
    sender.publish("ada", delta(0, "one"))
    sender.publish("eve", STARTED)
    sender.publish("ada", delta(3, " two"))
    sender.publish_change("ada")
    layer.gate.set()
    for _ in range(4):
        assert layer.arrived.acquire(timeout=1)
    assert layer.round_trips == 2
    assert [(group, event["type"]) for group, event in layer.sent[1:]] == [
        (group_name("ada"), "session.event"),
        (group_name("ada"), "session.changed"),
        (group_name("eve"), "session.event"),
    ]
    assert [frame.position.length for frame in frames_of(layer.sent[1][1])] == [7]


def test_frames_are_dropped_while_the_outbox_is_full(
    layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Delivery()

    def raise_full(*_: object) -> bool:
        raise OutboxFull

    monkeypatch.setattr(sender._outbox, "put", raise_full)
    sender.publish("ada", STARTED)
    monkeypatch.undo()
    assert layer.sent == []


async def test_an_error_of_the_layer_is_not_raised(layer: Layer) -> None:
    layer.error = ConnectionError()
    await publish("ada", frames_event([STARTED], None))
    assert layer.sent == []


def test_an_event_carries_the_position_of_each_frame() -> None:
    event = frames_event([STARTED, delta(3, "größer")], "00-trace")
    started, piece = frames_of(event)
    assert started.position.id == str(REPLY)
    assert (piece.position.offset, piece.position.length) == (3, 6)
    assert piece.json == delta(3, "größer").model_dump_json()
    assert event["trace"] == "00-trace"


@pytest.mark.parametrize("event", [{}, {"frames": [], "positions": [{}]}, {"frames": "x"}])
def test_an_event_of_another_shape_is_invalid(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent):
        frames_of(event)
