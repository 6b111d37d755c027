"""ChatConsumer: authorise, parse, accept, forward. It decides nothing.

On connect it joins the session's group first and is counted in, so that it is told of what others
do, then reads the document, then passes live events on, dropping what the document already told.
Where an event is missing it reads the document again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from chat.container import async_store, client_limits, limits, task_publisher
from chat.errors import ChatError, MessageInvalid, SessionUnknown, StoreUnavailable
from chat.events.delivery import group_name
from chat.observability import metrics, tracing
from chat.observability.logs import log_context, set_log_session
from chat.protocol import (
    Error,
    ServerFrame,
    check_size,
    frame_reference,
)
from chat.schemas import Session
from chat.store import sessions
from chat.websocket.backpressure import ClientNotReading, Connection
from chat.websocket.handlers import Actions
from chat.websocket.handshake import parse_handshake
from chat.websocket.rate_limit import FrameRateLimit
from chat.websocket.sync import SocketSync, load_since
from chat.websocket.timers import Timer

logger = logging.getLogger(__name__)

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
STUCK_S = 0.25
END_REASON = "Session not authenticated or expired token"


class ChatConsumer(AsyncWebsocketConsumer):
    """One socket of one session."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket."""
        self.connection = Connection(receive, send)
        await super().__call__(scope, receive, send)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler named after the message's type.

        Channels' own goes through a thread each time to close old database connections; a socket
        never touches the database.
        """
        try:
            await getattr(self, message["type"].replace(".", "_"))(message)
        except ClientNotReading:
            self._cut_off()

    async def connect(self) -> None:
        """Admit the socket, join its group, tell it the document, and watch over it."""
        self.caller = parse_handshake(self.scope)
        self.dialect = self.caller.dialect
        self.turn = asyncio.Lock()
        self.background: set[asyncio.Task[None]] = set()
        self.admitted = self.is_open = False
        try:
            if self.caller.session is None:
                raise SessionUnknown
            self.session = self.caller.session
            set_log_session(self.session)
            session = await self._join()
        except ChatError as error:
            await self._turn_away(error)
            return
        self.updates = SocketSync(async_store(), session, self.dialect, client_limits(), self._tell)
        self.actions = Actions(async_store(), limits(), self.session, self.updates, self._enqueue)
        self.budget = FrameRateLimit(settings.MESSAGES_PER_MINUTE)
        self.admitted = self.is_open = True
        await self.accept(self.dialect.subprotocol)
        metrics.socket_admitted(self.dialect.name)
        await self.updates.begin(session)
        self._begin(self._keep_watch())

    async def disconnect(self, code: int) -> None:
        """Leave the group and the count of open sockets."""
        if self.admitted:
            metrics.socket_closed(self.dialect.name)
        for task in self.background:
            task.cancel()
        if self.caller.session:
            await self.channel_layer.group_discard(
                group_name(self.caller.session), self.channel_name
            )
            with contextlib.suppress(StoreUnavailable):
                await async_store().run(
                    sessions.unregister_socket(
                        self.caller.session, self.channel_name, address=self.caller.address
                    )
                )

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Read one frame of the client; what is wrong with it is an error frame, never a close."""
        if not self.is_open:
            return
        ref = None
        await self.connection.until_read()
        self._guard()
        try:
            self.budget.spend()
            if text_data is None:
                raise MessageInvalid("Binary frames are not read. Send text.")
            check_size(text_data)
            frame = self.dialect.parse(text_data)
            metrics.frame_received(frame.type)
            ref = frame_reference(frame.model_dump(mode="json"))
            with log_context(message=ref), tracing.frame(frame.type, self.session):
                async with self.turn:
                    await self.actions.act(frame)
        except SessionUnknown:
            await self._end()
        except ChatError as error:
            await self._tell_error(error, ref or getattr(error, "ref", None))
            if self.budget.is_flooded:
                self.is_open = False
                await self.close(POLICY_VIOLATION, error.detail)
        finally:
            self.guard.cancel()

    async def session_event(self, event: dict[str, Any]) -> None:
        """Pass on what a worker or another tab tells the session, once and without gaps."""
        if self._is_ours(event):
            for kind, frame in event["frames"]:
                heard = frame if self.dialect.follows(kind) else None
                with tracing.told(kind, event.get("trace") if heard else None):
                    await self._in_turn(self.updates.hear(heard))

    async def session_changed(self, event: dict[str, Any]) -> None:
        """Read the document again: its time started again, or it is gone."""
        if self._is_ours(event):
            await self._in_turn(self.updates.tell_all())

    async def session_queued(self, event: dict[str, Any]) -> None:
        """Read what waits: a reply is to be written again."""
        if self._is_ours(event):
            await self._in_turn(self.updates.look())

    def _enqueue(self, ref: str | None) -> None:
        """Ask for the session's next answer, at once; what fails is told when it does."""
        self._begin(self._tell_refusal(task_publisher().enqueue_answer(self.session), ref))

    async def _tell_refusal(self, enqueued: Coroutine[Any, Any, None], ref: str | None) -> None:
        try:
            await enqueued
        except ChatError as error:
            await self._tell_error(error, ref)

    async def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what an event or the clock asks for; what fails now is looked at again.

        A client that does not keep up is told nothing more until it has read what it has; what it
        missed it then gets from the document.
        """
        with contextlib.closing(work):
            if self.connection.is_full():
                self.updates.doubt()
                return
            try:
                async with self.turn:
                    await work
            except SessionUnknown:
                await self._end()
            except ChatError as error:
                logger.warning("A socket could not be kept up to date: %s", error.code)
                self.updates.doubt()

    async def _keep_watch(self) -> None:
        """Do by the clock what no event asks for, as long as the socket is open."""
        while self.is_open:
            due = await self.updates.next_due()
            try:
                if due is Timer.SIGN_OF_LIFE:
                    await self._in_turn(self._give_sign_of_life())
                await self._in_turn(self.updates.do(due))
            except ClientNotReading:
                self._cut_off()

    async def _join(self) -> Session:
        await self.channel_layer.group_add(group_name(self.session), self.channel_name)
        await self._count_in()
        return await load_since(async_store(), self.session, self.caller.after)

    async def _give_sign_of_life(self) -> None:
        await self.updates.compare(await self._count_in())

    async def _count_in(self) -> int:
        return await async_store().run(
            sessions.register_socket(
                self.session, self.channel_name, address=self.caller.address, limits=limits()
            )
        )

    async def _turn_away(self, error: ChatError) -> None:
        """Refuse: a plain client by the handshake, chat.v1 by a frame, as browsers see no 403."""
        metrics.socket_refused(self.dialect.name, error.code)
        if self.dialect.subprotocol is None and isinstance(error, SessionUnknown):
            await self.close()
            return
        await self.accept(self.dialect.subprotocol)
        await self._tell_error(error)
        await self.close(TRY_AGAIN_LATER if not error.permanent else POLICY_VIOLATION, error.detail)

    async def _end(self) -> None:
        if self.is_open:
            self.is_open = False
            await self.updates.tell_end()
            await self.close(POLICY_VIOLATION, END_REASON)

    def _guard(self) -> None:
        """While one frame is acted upon, daphne goes on to take others: only so many."""
        try:
            self.connection.check_unread()
        except ClientNotReading:
            self._cut_off()
        self.guard = asyncio.get_running_loop().call_later(STUCK_S, self._guard)

    def _cut_off(self) -> None:
        """End a connection whose client does not keep up; a good one comes back and catches up."""
        self.is_open = False
        logger.warning("A client that does not keep up was cut off")
        self.connection.cut()

    async def _tell(self, frame: ServerFrame) -> None:
        if text := self.dialect.render(frame):
            await self.send(text_data=text)

    async def _tell_error(self, error: ChatError, ref: str | None = None) -> None:
        metrics.error_sent(error.code)
        await self._tell(Error(code=error.code, detail=error.detail, ref=ref))

    def _is_ours(self, event: dict[str, Any]) -> bool:
        if event["session"] == self.caller.session:
            return self.is_open
        logger.error("An event of another session reached this socket")
        return False

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
