"""The one way to a session's sockets: an event on the session's group of the channel layer.

An event is a hint. It may be lost; the consumer then reads the document.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, cast

from channels.layers import BaseChannelLayer, get_channel_layer

from chat import metrics, tracing
from chat.protocol import Frame

logger = logging.getLogger(__name__)

MAX_UNSENT = 10_000


def group_name(session: str) -> str:
    """Return the name of the group that holds a session's sockets."""
    return f"session.{session}"


async def deliver(session: str, frame: Frame) -> None:
    """Tell every socket of a session a frame."""
    event = {"type": "session.event", "kind": frame.type, "frame": frame.model_dump_json()}
    event |= {"trace": trace} if (trace := tracing.current()) else {}
    await _send(session, event)


async def deliver_change(session: str) -> None:
    """Tell every socket of a session that its document is to be read again."""
    await _send(session, {"type": "session.changed"})


async def deliver_queued(session: str) -> None:
    """Tell every socket of a session that a message waits that its frames do not tell of."""
    await _send(session, {"type": "session.queued"})


async def _send(session: str, event: dict[str, Any]) -> None:
    """Send an event that names its session, so that a consumer can compare.

    A layer that fails is logged, not raised: the document has what the event told.
    """
    try:
        layer = cast(BaseChannelLayer, get_channel_layer())
        await layer.group_send(group_name(session), event | {"session": session})
    except Exception as error:  # noqa: BLE001 layers raise what their servers raise
        metrics.event_undelivered()
        logger.warning("%s not delivered: %s", event["type"], type(error).__name__)


class Delivery:
    """Delivers from threads, in the order asked, without waiting for the layer.

    One thread with one event loop is kept: a loop for each call would open a connection for each.
    """

    def __init__(self) -> None:
        self._unsent = threading.BoundedSemaphore(MAX_UNSENT)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="delivery", daemon=True).start()

    def deliver(self, session: str, frame: Frame) -> None:
        """Tell every socket of a session, soon; dropped where too much is unsent already."""
        self._begin(deliver(session, frame))

    def deliver_change(self, session: str) -> None:
        """Tell every socket of a session, soon, that its document is to be read again."""
        self._begin(deliver_change(session))

    def _begin(self, sending: Coroutine[Any, Any, None]) -> None:
        if not self._unsent.acquire(blocking=False):
            metrics.event_undelivered()
            logger.warning("An event was dropped: the channel layer is stuck")
            sending.close()
            return
        begun = asyncio.run_coroutine_threadsafe(sending, self._loop)
        begun.add_done_callback(lambda _: self._unsent.release())
