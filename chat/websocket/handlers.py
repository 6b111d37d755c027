"""What a client's frames do: each handler changes the document and returns what follows."""

import logging
from dataclasses import dataclass

from django.conf import settings

from chat.addresses import network_of
from chat.events.delivery import CHANGED, QUEUED, Event
from chat.events.published_frame import frames_event
from chat.observability import metrics, tracing
from chat.protocol import (
    ClientFrame,
    Frame,
    MessageAccepted,
    MessageSend,
    ReplyRate,
    ReplyRated,
    ReplyRegenerate,
    ReplyStop,
    SessionExtend,
    SessionHistory,
    SessionMessages,
    SessionPing,
    SessionPong,
    SessionSync,
    check_comment,
    check_message,
    reply_frame,
)
from chat.store import ratings, sessions
from chat.store.client import AsyncStore
from chat.store.sessions import Limits
from chat.websocket.rate_limit import ReadLimits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Effects:
    """What follows after a frame was handled, in this order.

    `enqueue`: publish the session's task. `pong`: send this, which says nothing about the
    session and does not count for its timers. `load_after`: send the messages after this seq, and
    the ratings after the revision `load_rated`. `frame`: send this to the client, with `repeat`
    even if it was sent before. `resync`: send what was missed. `event`: publish this to all sockets
    of the session.
    """

    enqueue: bool = False
    pong: SessionPong | None = None
    load_after: int | None = None
    load_rated: int = 0
    frame: Frame | None = None
    repeat: bool = False
    resync: bool = False
    event: Event | None = None


class FrameHandlers:
    """Handles the frames of one client in its session."""

    def __init__(
        self,
        store: AsyncStore,
        limits: Limits,
        read_limits: ReadLimits,
        session: str,
        address: str,
    ) -> None:
        self._store = store
        self._limits = limits
        self._read_limits = read_limits
        self._session = session
        self._address = address

    async def handle(self, frame: ClientFrame) -> Effects:
        """Handle a frame; raises a ChatError, and then nothing was changed."""
        match frame:
            case MessageSend():
                return await self._message_send(frame)
            case ReplyStop():
                return await self._reply_stop(frame)
            case ReplyRegenerate():
                return await self._reply_regenerate(frame)
            case ReplyRate():
                return await self._reply_rate(frame)
            case SessionSync():
                self._count_read()
                return Effects(load_after=frame.after, load_rated=frame.ratings_revision)
            case SessionHistory():
                self._count_read()
                return Effects(frame=await self._earlier_messages(frame.before))
            case SessionExtend():
                await self._store.run(sessions.extend(self._session, settings.SESSION_TTL_S))
                return Effects(event=CHANGED)
            case SessionPing():
                return Effects(pong=SessionPong())

    def _count_read(self) -> None:
        self._read_limits.spend(self._session, network_of(self._address))

    async def _earlier_messages(self, before: int) -> SessionMessages:
        page = await self._store.run(sessions.load(self._session, before=before))
        return SessionMessages(
            before=before,
            messages=tuple(message.for_client() for message in page.messages),
            has_earlier=page.is_truncated,
        )

    async def _message_send(self, frame: MessageSend) -> Effects:
        check_message(frame.msg, settings.MAX_MESSAGE_CHARS)
        command = sessions.accept(
            self._session,
            frame.id,
            frame.msg,
            address=self._address,
            limits=self._limits,
            trace=tracing.current(),
        )
        accepted = await self._store.run(command)
        answer = MessageAccepted(message=accepted.message.public())
        if not accepted.new:
            return Effects(frame=answer, repeat=True)
        metrics.messages_accepted.inc()
        logger.info("Message accepted", extra={"facts": {"seq": accepted.message.seq}})
        # Most sessions have one tab: then nobody else needs an event.
        event = frames_event([answer], tracing.current()) if accepted.sockets > 1 else None
        return Effects(enqueue=True, frame=answer, event=event)

    async def _reply_stop(self, frame: ReplyStop) -> Effects:
        command = sessions.stop(self._session, frame.reply_to, ttl_s=settings.SESSION_TTL_S)
        stopped = await self._store.run(command)
        if stopped is None:  # its worker ends it
            return Effects()
        reply = reply_frame(stopped.message.public())
        if not stopped.new:
            return Effects(frame=reply, repeat=True)
        event = frames_event([reply], tracing.current())
        return Effects(enqueue=stopped.pending > 0, frame=reply, event=event)

    async def _reply_regenerate(self, frame: ReplyRegenerate) -> Effects:
        command = sessions.regenerate(
            self._session, frame.reply_to, address=self._address, limits=self._limits
        )
        await self._store.run(command)
        return Effects(enqueue=True, resync=True, event=QUEUED)

    async def _reply_rate(self, frame: ReplyRate) -> Effects:
        comment = (frame.comment or "").strip()
        check_comment(comment)
        command = ratings.rate(
            self._session,
            frame.id,
            frame.rating,
            comment,
            address=self._address,
            limits=self._limits,
        )
        stored = await self._store.run(command)
        rated = ReplyRated(
            id=frame.id,
            reply_to=stored.reply_to,
            rating=frame.rating,
            comment=(comment or None) if frame.rating else None,
            revision=stored.revision,
            previous=stored.previous,
        )
        if not stored.new:
            return Effects(frame=rated, repeat=True)
        metrics.ratings.labels(frame.rating or "revoked").inc()
        return Effects(frame=rated, event=frames_event([rated], tracing.current()))
