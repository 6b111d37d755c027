"""What a client's frames do: a step in the store first, then what everybody is told."""

import logging
from collections.abc import Callable

from django.conf import settings

from chat.events.delivery import deliver, publish_change, publish_queued
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
from chat.websocket.sync import SocketSync

logger = logging.getLogger(__name__)


class Actions:
    """Acts for one client in its session.

    `enqueue` asks for the session's next answer; it is given the id of the message that what goes
    wrong is told of.
    """

    def __init__(
        self,
        store: AsyncStore,
        limits: Limits,
        session: str,
        updates: SocketSync,
        enqueue: Callable[[str | None], None],
    ) -> None:
        self._store = store
        self._limits = limits
        self._session = session
        self._updates = updates
        self._enqueue = enqueue

    async def act(self, frame: ClientFrame) -> None:
        """Do what a frame asks; raises a ChatError."""
        match frame:
            case MessageSend():
                await self._message_send(frame)
            case ReplyStop():
                await self._reply_stop(frame)
            case ReplyRegenerate():
                await self._reply_regenerate(frame)
            case SessionSync():
                await self._updates.tell_all(frame.after)
            case SessionExtend():
                await self._store.run(sessions.extend(self._session, settings.SESSION_TTL_S))
                await publish_change(self._session)

    async def _message_send(self, frame: MessageSend) -> None:
        check_message(frame.msg, settings.MAX_MESSAGE_CHARS)
        command = sessions.accept(
            self._session, frame.id, frame.msg, limits=self._limits, trace=tracing.current()
        )
        accepted = await self._store.run(command)
        if accepted.new:
            self._enqueue(str(frame.id))
        told = MessageAccepted(message=accepted.message.public())
        await self._updates.pass_on(told, anyway=not accepted.new)
        if accepted.new:
            metrics.message_accepted()
            logger.info("Message accepted", extra={"facts": {"seq": accepted.message.seq}})
            if accepted.sockets > 1:
                await deliver(self._session, told)

    async def _reply_stop(self, frame: ReplyStop) -> None:
        command = sessions.stop(self._session, frame.reply_to, ttl_s=settings.SESSION_TTL_S)
        if stopped := await self._store.run(command):
            told = reply_frame(stopped.message.public())
            await self._updates.pass_on(told, anyway=not stopped.new)
            if stopped.new:
                await deliver(self._session, told)
                if stopped.pending:
                    self._enqueue(None)

    async def _reply_regenerate(self, frame: ReplyRegenerate) -> None:
        await self._store.run(
            sessions.regenerate(self._session, frame.reply_to, limits=self._limits)
        )
        await self._updates.look()
        await publish_queued(self._session)
        self._enqueue(None)
