"""Events to a session's sockets, through its group on the channel layer.

An event is a hint and may be lost: the socket then loads the document. Every event names its
session, so that a consumer can check that it is meant.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, cast

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, channel_layers, get_channel_layer

from chat.events.outbox import Outbox, OutboxFull
from chat.events.published_frame import frames_event
from chat.observability import metrics, tracing
from chat.observability.outage import Outage
from chat.protocol import Frame

logger = logging.getLogger(__name__)

Event = dict[str, Any]
CONNECTIONS = 4
# The session's expiry changed, or the session is gone.
CHANGED: Event = {"type": "session.changed"}
# The document contains what no frame announced: a requested reply, or the copies of a version.
UNANNOUNCED: Event = {"type": "session.queued"}


def group_name(session: str) -> str:
    """Return the name of the group of a session's sockets."""
    return f"session.{session}"


async def publish(session: str, event: Event) -> None:
    """Send an event to every socket of a session."""
    await _send(cast(BaseChannelLayer, get_channel_layer()), session, event)


async def _send(layer: BaseChannelLayer, session: str, event: Event) -> None:
    """Send an event. A failure is not raised: the document has what the event announced."""
    try:
        await layer.group_send(group_name(session), event | {"session": session})
    except Exception as error:  # noqa: BLE001 layers raise what their servers raise
        metrics.events_undelivered.inc()
        # The layer logs that its server is away; this is once per event.
        logger.debug("Event %s was not sent: %s", event["type"], type(error).__name__)


class _Connection:
    """A channel layer of its own, which sends one event after the other."""

    def __init__(self) -> None:
        self._layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        self._lock = asyncio.Lock()

    async def send(self, session: str, make_event: Callable[[], Event]) -> None:
        """Send what `make_event` returns when the earlier events are sent."""
        async with self._lock:
            await _send(self._layer, session, make_event())


class Delivery:
    """Publishes from threads, in order for each session, without waiting for the channel layer.

    It keeps one thread with one event loop, because a channel layer opens its connections per loop.
    A layer waits for Redis after every event, which limits it to some hundred events per second, so
    there are several connections. A session always uses the same one.
    """

    def __init__(self) -> None:
        self._outbox = Outbox()
        self._outbox_full = Outage(logger, "Events are dropped", "Events are sent again")
        self._connections = [_Connection() for _ in range(CONNECTIONS)]
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="delivery", daemon=True).start()

    def publish(self, session: str, *frames: Frame) -> None:
        """Send frames to every socket of a session soon; drop them if too many are unsent."""
        try:
            must_send = self._outbox.put(session, frames, tracing.current())
        except OutboxFull as error:
            metrics.events_undelivered.inc()
            self._outbox_full.failed(error)
            return
        self._outbox_full.succeeded()
        if must_send:
            self._schedule(session, lambda: self._take(session))

    def publish_change(self, session: str) -> None:
        """Make every socket of a session load the document again soon."""
        self._schedule(session, lambda: CHANGED)

    def _take(self, session: str) -> Event:
        batch = self._outbox.take(session)
        return frames_event(batch.frames, batch.trace)

    def _schedule(self, session: str, make_event: Callable[[], Event]) -> None:
        connection = self._connections[hash(session) % CONNECTIONS]
        asyncio.run_coroutine_threadsafe(connection.send(session, make_event), self._loop)
