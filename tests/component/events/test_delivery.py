"""Delivery publishes from threads, in order per session, and drops frames it cannot send."""

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
