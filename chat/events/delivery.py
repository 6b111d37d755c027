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
from chat.schemas import Source

logger = logging.getLogger(__name__)

Event = dict[str, Any]
CONNECTIONS = 4
# The session's expiry changed, or the session is gone.
CHANGED: Event = {"type": "session.changed"}
# Something is new that no frame announced: a message that waits, an operator who came or left.
QUEUED: Event = {"type": "session.queued"}

# The group of the pages on which operators wait for requests.
REQUESTS_GROUP = "operator.requests"
REQUESTS_CHANGED: Event = {"type": "requests.changed"}


def typing_event(source: Source) -> Event:
    """Return the event that somebody types. It is stored nowhere."""
    return {"type": "session.typing", "source": source}


def group_name(session: str) -> str:
    """Return the name of the group of a session's sockets."""
    return f"session.{session}"


async def publish(session: str, event: Event) -> None:
    """Send an event to every socket of a session."""
    layer = cast(BaseChannelLayer, get_channel_layer())
    await _send(layer, group_name(session), event | {"session": session})


async def publish_requests() -> None:
    """Make the pages of operators load again who asks for a person."""
    await _send(cast(BaseChannelLayer, get_channel_layer()), REQUESTS_GROUP, REQUESTS_CHANGED)


async def _send(layer: BaseChannelLayer, group: str, event: Event) -> None:
    """Send an event. A failure is not raised: the document has what the event announced."""
    try:
        await layer.group_send(group, event)
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
            await _send(self._layer, group_name(session), make_event() | {"session": session})


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

    def publish_resync(self, session: str) -> None:
        """Make every socket of a session load soon what it missed."""
        self._schedule(session, lambda: QUEUED)

    def _take(self, session: str) -> Event:
        batch = self._outbox.take(session)
        return frames_event(batch.frames, batch.trace)

    def _schedule(self, session: str, make_event: Callable[[], Event]) -> None:
        connection = self._connections[hash(session) % CONNECTIONS]
        asyncio.run_coroutine_threadsafe(connection.send(session, make_event), self._loop)
