"""One WebSocket. The consumer translates between ASGI and `chat.websocket` and decides nothing.

On connect it joins the session's group first, then loads the document, then forwards live events,
dropping what the document already contained. If an event is missing, the document is loaded again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from chat.addresses import network_of
from chat.container import (
    async_store,
    client_limits,
    heartbeats,
    limits,
    model_choices,
    read_limits,
    socket_limit,
    task_publisher,
)
from chat.errors import ChatError, MessageInvalid, SessionUnknown, StoreUnavailable
from chat.events.delivery import group_name, publish
from chat.events.published_frame import InvalidEvent, PublishedFrame, frames_of
from chat.observability import metrics, tracing
from chat.observability.logs import log_context, set_log_session
from chat.protocol import ClientFrame, Error, check_size, id_of
from chat.schemas import Session
from chat.store import sessions
from chat.store.command import Command
from chat.store.sessions import SocketState
from chat.websocket.backpressure import ClientConnection, ClientNotReading
from chat.websocket.handlers import Effects, FrameHandlers
from chat.websocket.handshake import parse_handshake
from chat.websocket.heartbeats import Renewal
from chat.websocket.rate_limit import FrameRateLimit
from chat.websocket.sync import Frames, SocketSync, first_page

logger = logging.getLogger(__name__)

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
BACKPRESSURE_CHECK_S = 0.25
END_REASON = "Session not authenticated or expired token"


class ChatConsumer(AsyncWebsocketConsumer):
    """One socket of one session."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket."""
        self.connection = ClientConnection(receive, send)
        await super().__call__(scope, receive, send)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler named after the message's type.

        Channels' own method first closes old database connections in a thread, which costs a thread
        switch per event; a socket never uses the database.
        https://github.com/django/channels/blob/main/channels/consumer.py
        """
        try:
            # An event of an unknown type comes from another version: resync, as after a lost one.
            handler = getattr(self, message["type"].replace(".", "_"), self.session_queued)
            await handler(message)
        except ClientNotReading:
            self._abort()

    async def connect(self) -> None:
        """Accept the socket, send it the session, and start its timers."""
        self.handshake = parse_handshake(self.scope)
        self.codec = self.handshake.codec
        # Frames of the client, events and timers are handled one at a time.
        self.turn = asyncio.Lock()
        self.background: set[asyncio.Task[None]] = set()
        self.is_admitted = self.is_counted = self.is_open = False
        try:
            socket_limit().take()
            self.is_admitted = True
            if self.handshake.session is None:
                raise SessionUnknown
            self.session = self.handshake.session
            set_log_session(self.session)
            session = await self._join()
        except ChatError as error:
            await self._reject(error)
            return
        self.sync = SocketSync(async_store(), session, self.codec, client_limits(), model_choices())
        self.handlers = FrameHandlers(
            async_store(),
            limits(),
            read_limits(),
            self.session,
            self.handshake.address,
            model_choices(),
        )
        self.rate_limit = FrameRateLimit(settings.MESSAGES_PER_MINUTE)
        self.is_counted = self.is_open = True
        await self.accept(self.codec.subprotocol)
        metrics.handshakes.labels(self.codec.name, "accepted").inc()
        metrics.open_sockets.labels(self.codec.name).inc()
        await self._send_frames(self.sync.open(session))
        heartbeats().add(self.channel_name, self._registration(), self._on_heartbeat)
        self._start(self._run_timers())

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the socket, and do not wait long for the client to do the same."""
        await super().close(code, reason)
        self.connection.abort_soon()

    async def disconnect(self, code: int) -> None:
        """Leave the group and the count of open sockets."""
        if self.is_admitted:
            socket_limit().release()
        if self.is_counted:
            metrics.open_sockets.labels(self.codec.name).dec()
        heartbeats().remove(self.channel_name)
        for task in self.background:
            task.cancel()
        if session := self.handshake.session:
            await self.channel_layer.group_discard(group_name(session), self.channel_name)
            command = sessions.unregister_socket(
                session, self.channel_name, address=self.handshake.address
            )
            with contextlib.suppress(StoreUnavailable):
                await async_store().run(command)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one frame of the client. An invalid one gets an error frame and never a close."""
        if not self.is_open:
            return
        ref = None
        await self.connection.wait_until_writable()
        self._watch_backpressure()
        try:
            self.rate_limit.spend()
            frame = self._decode(text_data)
            ref = id_of(frame)
            with log_context(message=ref), tracing.frame(frame.type, self.session):
                async with self.turn:
                    await self._apply(await self.handlers.handle(frame), ref)
        except SessionUnknown:
            await self._end()
        except ChatError as error:
            await self._send_error(error, ref or getattr(error, "ref", None))
            if self.rate_limit.is_flooded:
                self.is_open = False
                await self.close(POLICY_VIOLATION, error.detail)
                # A server goes on reading after a close, until the client answers it.
                self.connection.abort()
        finally:
            self.backpressure_check.cancel()

    async def session_event(self, event: dict[str, Any]) -> None:
        """Forward the frames of a worker or another tab."""
        if not self._is_ours(event):
            return
        try:
            frames = frames_of(event)
        except InvalidEvent:
            await self._in_turn(self.sync.resync())
            return
        for frame in frames:
            trace = event.get("trace") if self.codec.carries(frame.position.type) else None
            with tracing.send(frame.position.type, trace):
                await self._in_turn(self.sync.on_frame(frame))

    async def session_changed(self, event: dict[str, Any]) -> None:
        """Load the document again: its expiry changed, or it is gone."""
        if self._is_ours(event):
            await self._in_turn(self.sync.on_change())

    async def session_queued(self, event: dict[str, Any]) -> None:
        """Load what no frame announced: a requested reply, or the copies of a version."""
        if self._is_ours(event):
            await self._in_turn(self.sync.resync())

    def _decode(self, text: str | None) -> ClientFrame:
        if text is None:
            raise MessageInvalid("Binary frames are not supported. Send text.")
        check_size(text)
        frame = self.codec.decode(text)
        metrics.frames_received.labels(frame.type).inc()
        return frame

    async def _apply(self, effects: Effects, ref: str | None) -> None:
        if effects.enqueue:
            # Started now and awaited apart: the broker must not delay what the client is sent.
            self._start(self._report(task_publisher().enqueue_answer(self.session), ref))
        if effects.pong:
            await self._send_frames([effects.pong])
        if effects.load_after is not None:
            loaded = await self.sync.load(effects.load_after, effects.load_rated)
            await self._send_frames(loaded)
        try:
            if effects.frame:
                frame = PublishedFrame.of(effects.frame)
                await self._send_frames(await self.sync.on_frame(frame, repeat=effects.repeat))
            if effects.resync:
                await self._send_frames(await self.sync.resync())
        except StoreUnavailable:
            # The request is stored already. What cannot be loaded now is sent by the timers.
            self.sync.resync_soon()
        if effects.event:
            await publish(self.session, effects.event)

    async def _report(self, publishing: Awaitable[None], ref: str | None) -> None:
        try:
            await publishing
        except ChatError as error:
            await self._send_error(error, ref)

    async def _in_turn(self, frames: Coroutine[Any, Any, Frames]) -> None:
        """Send the frames for an event or timer; if that fails now, the timers try again.

        A client that does not keep up is sent nothing before it has read what it has. It receives
        the rest from the document.
        """
        with contextlib.closing(frames):
            if self.connection.is_congested():
                self.sync.resync_soon()
                return
            try:
                async with self.turn:
                    await self._send_frames(await frames)
            except SessionUnknown:
                await self._end()
            except ChatError as error:
                logger.debug("A socket could not be synchronized: %s", error.code)
                self.sync.resync_soon()

    async def _run_timers(self) -> None:
        while self.is_open:
            timer = await self.sync.next_timer()
            try:
                await self._in_turn(self.sync.on_timer(timer))
            except ClientNotReading:
                self._abort()

    async def _join(self) -> Session:
        network = network_of(self.handshake.address)
        read_limits().spend(self.session, network)
        try:
            return await self._register_and_load()
        except SessionUnknown:
            read_limits().count_unknown(network)
            raise

    async def _register_and_load(self) -> Session:
        await self.channel_layer.group_add(group_name(self.session), self.channel_name)
        await async_store().run(self._registration())
        page = first_page(self.codec)
        rated = self.handshake.ratings_revision if self.codec.carries("reply.rated") else None
        command = sessions.load(self.session, self.handshake.after, rated=rated, page=page)
        return await async_store().run(command)

    def _on_heartbeat(self, renewal: Renewal) -> None:
        """Resync if the socket missed something, or end it if its session is gone."""
        is_missing = isinstance(renewal, SocketState) and not self.sync.is_current(renewal)
        if self.is_open and (is_missing or isinstance(renewal, SessionUnknown)):
            metrics.resyncs.inc()
            self._start(self._in_turn(self.sync.resync()))

    def _registration(self) -> Command[SocketState]:
        return sessions.register_socket(
            self.session, self.channel_name, address=self.handshake.address, limits=limits()
        )

    async def _reject(self, error: ChatError) -> None:
        """Reject a plain client in the handshake, chat.v1 by a frame: browsers hide a 403."""
        metrics.handshakes.labels(self.codec.name, error.code).inc()
        if self.codec.subprotocol is None and isinstance(error, SessionUnknown):
            await self.close()
            return
        await self.accept(self.codec.subprotocol)
        await self._send_error(error)
        await self.close(TRY_AGAIN_LATER if not error.permanent else POLICY_VIOLATION, error.detail)

    async def _end(self) -> None:
        if self.is_open:
            self.is_open = False
            await self._send_frames(self.sync.end())
            await self.close(POLICY_VIOLATION, END_REASON)

    def _watch_backpressure(self) -> None:
        """Abort if daphne receives too many other frames while one is being handled."""
        try:
            self.connection.check_unhandled()
        except ClientNotReading:
            self._abort()
        loop = asyncio.get_running_loop()
        self.backpressure_check = loop.call_later(BACKPRESSURE_CHECK_S, self._watch_backpressure)

    def _abort(self) -> None:
        """Drop a client that does not keep up. A well-behaved one reconnects and catches up."""
        self.is_open = False
        logger.warning("Connection aborted: the client does not keep up")
        self.connection.abort()

    async def _send_frames(self, frames: Frames) -> None:
        for frame in frames:
            if text := self.codec.encode(frame):
                await self.send(text_data=text)

    async def _send_error(self, error: ChatError, ref: str | None = None) -> None:
        metrics.errors_sent.labels(error.code).inc()
        frame = Error(code=error.code, detail=error.detail, ref=ref, limit=error.limit)
        await self._send_frames([frame])

    def _is_ours(self, event: dict[str, Any]) -> bool:
        if event.get("session") == self.handshake.session:
            return self.is_open
        logger.error("An event of another session reached this socket")
        return False

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_until_disconnected(coroutine))
        self.background.add(task)
        task.add_done_callback(self.background.discard)


async def _until_disconnected(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine, until a send fails because the client has disconnected.

    Servers raise a subclass of OSError then: https://asgi.readthedocs.io/en/latest/specs/www.html
    """
    with contextlib.suppress(OSError):
        await coroutine
