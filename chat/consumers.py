"""One WebSocket. The consumer translates between ASGI and `chat.websocket` and decides nothing.

On connect it joins the session's group first, then loads the document, then forwards live events,
dropping what the document already contained. If an event is missing, the document is loaded again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from django.conf import settings

from chat.addresses import network_of
from chat.container import (
    async_store,
    client_limits,
    heartbeats,
    limits,
    model_choices,
    queue_positions,
    read_limits,
    socket_limit,
    task_publisher,
)
from chat.errors import ChatError, MessageInvalid, SessionUnknown, StoreUnavailable
from chat.events.delivery import group_name, publish, publish_requests, typing_event
from chat.events.published_frame import PublishedFrame
from chat.observability import metrics, tracing
from chat.observability.logs import log_context, set_log_session
from chat.protocol import ClientFrame, OperatorTyping, check_size, id_of
from chat.schemas import Session
from chat.store import sessions
from chat.store.renewals import OpenSocket, Renewal, SocketState
from chat.websocket.handlers import Effects, FrameHandlers
from chat.websocket.handshake import parse_handshake
from chat.websocket.rate_limit import FrameRateLimit
from chat.websocket.session_socket import POLICY_VIOLATION, TRY_AGAIN_LATER, SessionSocket
from chat.websocket.sync import SocketSync, first_page


class ChatConsumer(SessionSocket):
    """One socket of a visitor."""

    async def connect(self) -> None:
        """Accept the socket, send it the session, and start its timers."""
        self.handshake = parse_handshake(self.scope)
        self.codec = self.handshake.codec
        self.session = self.handshake.session or ""
        self.queue_positions = queue_positions()
        self.is_admitted = self.is_counted = False
        try:
            socket_limit().take()
            self.is_admitted = True
            if not self.session:
                raise SessionUnknown
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
        socket = OpenSocket(self.session, self.channel_name, self.handshake.address)
        heartbeats().add(socket, self._on_heartbeat)
        self._start(self._run_timers())

    async def disconnect(self, code: int) -> None:
        """Leave the group and the count of open sockets."""
        self.is_open = False
        if self.is_admitted:
            socket_limit().release()
        if self.is_counted:
            metrics.open_sockets.labels(self.codec.name).dec()
        heartbeats().remove(self.channel_name)
        self.queue_positions.remove(self.channel_name)
        for task in self.background:
            task.cancel()
        if self.session:
            await self.channel_layer.group_discard(group_name(self.session), self.channel_name)
            command = sessions.unregister_socket(
                self.session, self.channel_name, address=self.handshake.address
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
                await self._close_flooded(error)
        finally:
            self.backpressure_check.cancel()

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
        if effects.request:
            await self._send_frames([self.sync.note_request(effects.request)])
            await publish_requests()
        if effects.is_typing and self.sync.operator:
            await publish(self.session, typing_event("human"))
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

    async def session_typing(self, event: dict[str, Any]) -> None:
        """Tell the visitor that the operator is typing."""
        operator = self.sync.operator
        if self._is_ours(event) and event["source"] == "operator" and operator:
            await self._send_frames([OperatorTyping(name=operator.name)])

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
        register = sessions.register_socket(
            self.session, self.channel_name, address=self.handshake.address, limits=limits()
        )
        await async_store().run(register)
        page = first_page(self.codec)
        rated = self.handshake.ratings_revision if self.codec.carries("reply.rated") else None
        command = sessions.load(self.session, self.handshake.after, rated=rated, page=page)
        session = await async_store().run(command)
        # Parsing a full page has taken a millisecond or two: others run before its frame is built.
        await asyncio.sleep(0)
        return session

    def _on_heartbeat(self, renewal: Renewal) -> None:
        """Resync if the socket missed something, or end it if its session is gone."""
        is_missing = isinstance(renewal, SocketState) and not self.sync.is_current(renewal)
        if self.is_open and (is_missing or isinstance(renewal, SessionUnknown)):
            metrics.resyncs.inc()
            self._start(self._in_turn(self.sync.resync()))

    async def _reject(self, error: ChatError) -> None:
        """Reject a plain client in the handshake, chat.v1 by a frame: browsers hide a 403."""
        metrics.handshakes.labels(self.codec.name, error.code).inc()
        if self.codec.subprotocol is None and isinstance(error, SessionUnknown):
            await self.close()
            return
        await self.accept(self.codec.subprotocol)
        await self._send_error(error)
        await self.close(TRY_AGAIN_LATER if not error.permanent else POLICY_VIOLATION, error.detail)
