"""Events to a session's sockets, through its group on the channel layer.

An event is a hint and may be lost: the socket then loads the document. Every event names its
session, so that a consumer can check that it is meant.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, cast

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, channel_layers, get_channel_layer

from chat.events.channel_layer import ChannelLayer
from chat.events.outbox import Batch, Outbox, OutboxFull
from chat.events.published_frame import frames_event
from chat.observability import metrics, tracing
from chat.observability.outage import Outage
from chat.protocol import Frame, ReplyDelta

logger = logging.getLogger(__name__)

Event = dict[str, Any]
# The session's expiry changed, or the session is gone.
CHANGED: Event = {"type": "session.changed"}
# The document contains what no frame announced: a requested reply, or the copies of a version.
UNANNOUNCED: Event = {"type": "session.queued"}


def group_name(session: str) -> str:
    """Return the name of the group of a session's sockets."""
    return f"session.{session}"


async def publish(session: str, event: Event) -> None:
    """Send an event to every socket of a session."""
    layer = cast(BaseChannelLayer, get_channel_layer())
    sending = layer.group_send(group_name(session), event | {"session": session})
    await _try_to_send(sending, count=1)


async def _try_to_send(sending: Awaitable[None], count: int) -> None:
    """Send events. A failure is not raised: the document has what the events announced."""
    try:
        await sending
    except Exception as error:  # noqa: BLE001 layers raise what their servers raise
        metrics.events_undelivered.inc(count)
        # The layer logs that its server is away; this is once per event.
        logger.debug("%d events were not sent: %s", count, type(error).__name__)


class Delivery:
    """Publishes from threads, in order for each session, without waiting for the channel layer.

    It keeps one thread with one event loop, because a channel layer opens its connections per loop.
    What is published while events are being sent is sent together in the next round trip.
    """

    def __init__(self) -> None:
        self._outbox = Outbox()
        self._outbox_full = Outage(logger, "Events are dropped", "Events are sent again")
        self._layer = cast(ChannelLayer, channel_layers.make_backend(DEFAULT_CHANNEL_LAYER))
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="delivery", daemon=True).start()

    def publish(self, session: str, *frames: Frame) -> None:
        """Send frames to every socket of a session soon; drop them if too many are unsent."""
        self._put([(session, frames)], tracing.current())

    def publish_all(self, deltas: Iterable[tuple[str, ReplyDelta]]) -> None:
        """Send deltas of several sessions together."""
        self._put([(session, [delta]) for session, delta in deltas], None)

    def publish_change(self, session: str) -> None:
        """Make every socket of a session load the document again soon."""
        self._put([(session, ())], None)

    def _put(self, events: Iterable[tuple[str, Sequence[Frame]]], trace: str | None) -> None:
        must_send = False
        for session, frames in events:
            try:
                must_send |= self._outbox.put(session, frames, trace)
            except OutboxFull as error:
                metrics.events_undelivered.inc()
                self._outbox_full.failed(error)
            else:
                self._outbox_full.succeeded()
        if must_send:
            asyncio.run_coroutine_threadsafe(self._send_all(), self._loop)

    async def _send_all(self) -> None:
        while batches := self._outbox.take_all():
            events = [
                (group_name(session), event | {"session": session})
                for session, batch in batches.items()
                for event in _events(batch)
            ]
            await _try_to_send(self._layer.group_send_all(events), len(events))


def _events(batch: Batch) -> Iterator[Event]:
    if batch.frames:
        yield frames_event(batch.frames, batch.trace)
    if batch.is_changed:
        yield CHANGED
