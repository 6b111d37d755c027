"""What a client's frames do. Each handler changes the document, then returns what must follow."""

import logging
from dataclasses import dataclass

from django.conf import settings

from chat.events.delivery import CHANGED, QUEUED, Event, frames_event
from chat.observability import metrics, tracing
from chat.protocol import (
    ClientFrame,
    MessageAccepted,
    MessageSend,
    ReplyRegenerate,
    ReplyStop,
    SessionExtend,
    SessionSync,
    check_message,
    reply_frame,
)
from chat.store import sessions
from chat.store.client import AsyncStore
from chat.store.sessions import Limits
from chat.websocket.sync import Frames, SocketSync

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Effects:
    """What the consumer does after a frame was handled, in this order.

    `enqueue` publishes the session's task, `frames` go to this client, `event` to all of the
    session's sockets.
    """

    enqueue: bool = False
    frames: Frames = ()
    event: Event | None = None


class FrameHandlers:
    """Handles the frames of one client in its session."""

    def __init__(self, store: AsyncStore, limits: Limits, session: str, sync: SocketSync) -> None:
        self._store = store
        self._limits = limits
        self._session = session
        self._sync = sync

    async def handle(self, frame: ClientFrame) -> Effects:
        """Handle a frame; raises a ChatError."""
        match frame:
            case MessageSend():
                return await self._message_send(frame)
            case ReplyStop():
                return await self._reply_stop(frame)
            case ReplyRegenerate():
                return await self._reply_regenerate(frame)
            case SessionSync():
                return Effects(frames=await self._sync.load(frame.after))
            case SessionExtend():
                await self._store.run(sessions.extend(self._session, settings.SESSION_TTL_S))
                return Effects(event=CHANGED)

    async def _message_send(self, frame: MessageSend) -> Effects:
        check_message(frame.msg, settings.MAX_MESSAGE_CHARS)
        command = sessions.accept(
            self._session, frame.id, frame.msg, limits=self._limits, trace=tracing.current()
        )
        accepted = await self._store.run(command)
        answer = MessageAccepted(message=accepted.message.public())
        frames = await self._sync.on_own_frame(answer, repeat=not accepted.new)
        if not accepted.new:
            return Effects(frames=frames)
        metrics.message_accepted()
        logger.info("Message accepted", extra={"facts": {"seq": accepted.message.seq}})
        # Most sessions have one tab: then nobody else needs an event.
        event = frames_event([answer], tracing.current()) if accepted.sockets > 1 else None
        return Effects(enqueue=True, frames=frames, event=event)

    async def _reply_stop(self, frame: ReplyStop) -> Effects:
        command = sessions.stop(self._session, frame.reply_to, ttl_s=settings.SESSION_TTL_S)
        stopped = await self._store.run(command)
        if stopped is None:  # its worker ends it
            return Effects()
        reply = reply_frame(stopped.message.public())
        frames = await self._sync.on_own_frame(reply, repeat=not stopped.new)
        if not stopped.new:
            return Effects(frames=frames)
        event = frames_event([reply], tracing.current())
        return Effects(enqueue=stopped.pending > 0, frames=frames, event=event)

    async def _reply_regenerate(self, frame: ReplyRegenerate) -> Effects:
        command = sessions.regenerate(self._session, frame.reply_to, limits=self._limits)
        await self._store.run(command)
        return Effects(enqueue=True, frames=await self._sync.resync(), event=QUEUED)
