"""The one way to a session's sockets: an event on the session's group of the channel layer.

An event is a hint. It may be lost; the consumer then reads the document.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, channel_layers, get_channel_layer

from chat.events.outbox import Outbox, OutboxFull
from chat.observability import metrics, tracing
from chat.protocol import Frame

logger = logging.getLogger(__name__)

Event = dict[str, Any]
LANES = 4
CHANGED: Event = {"type": "session.changed"}


def group_name(session: str) -> str:
    """Return the name of the group that holds a session's sockets."""
    return f"session.{session}"


async def deliver(session: str, frame: Frame) -> None:
    """Tell every socket of a session a frame."""
    await _send(_layer(), session, _event([frame], tracing.current()))


async def publish_change(session: str) -> None:
    """Tell every socket of a session that its document is to be read again."""
    await _send(_layer(), session, CHANGED)


async def publish_queued(session: str) -> None:
    """Tell every socket of a session that a message waits that its frames do not tell of."""
    await _send(_layer(), session, {"type": "session.queued"})


def _layer() -> BaseChannelLayer:
    return cast(BaseChannelLayer, get_channel_layer())


def _event(frames: Sequence[Frame], trace: str | None) -> Event:
    told = [(frame.type, frame.model_dump_json()) for frame in frames]
    event: Event = {"type": "session.event", "frames": told}
    return event | {"trace": trace} if trace else event


async def _send(layer: BaseChannelLayer, session: str, event: Event) -> None:
    """Send an event that names its session, so that a consumer can compare.

    A layer that fails is logged, not raised: the document has what the event told.
    """
    try:
        await layer.group_send(group_name(session), event | {"session": session})
    except Exception as error:  # noqa: BLE001 layers raise what their servers raise
        metrics.event_undelivered()
        logger.warning("%s not delivered: %s", event["type"], type(error).__name__)


class Lane:
    """A channel layer of its own that sends one event after the other."""

    def __init__(self) -> None:
        self._layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        self._turn = asyncio.Lock()

    async def send(self, session: str, event: Callable[[], Event]) -> None:
        """Send what `event` returns when it is this event's turn."""
        async with self._turn:
            await _send(self._layer, session, event())


class Delivery:
    """Delivers from threads, in the order asked for each session, without waiting for the layer.

    One thread with one event loop is kept: a loop for each call would open a connection for each.
    A layer waits for Redis after every event, so there are some lanes, and each session has one.
    """

    def __init__(self) -> None:
        self._outbox = Outbox()
        self._lanes = [Lane() for _ in range(LANES)]
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="delivery", daemon=True).start()

    def deliver(self, session: str, *frames: Frame) -> None:
        """Tell every socket of a session, soon; dropped where too much is unsent already."""
        try:
            is_first = self._outbox.put(session, frames, tracing.current())
        except OutboxFull:
            metrics.event_undelivered()
            logger.warning("An event was dropped: the channel layer is stuck")
            return
        if is_first:
            self._begin(session, lambda: self._collect(session))

    def publish_change(self, session: str) -> None:
        """Tell every socket of a session, soon, that its document is to be read again."""
        self._begin(session, lambda: CHANGED)

    def _collect(self, session: str) -> Event:
        parcel = self._outbox.take(session)
        return _event(parcel.frames, parcel.trace)

    def _begin(self, session: str, event: Callable[[], Event]) -> None:
        lane = self._lanes[hash(session) % LANES]
        asyncio.run_coroutine_threadsafe(lane.send(session, event), self._loop)
