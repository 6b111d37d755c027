"""A socket that follows one session: what visitors' sockets and operators' have in common.

A subclass accepts the socket, sets `session`, `codec` and `sync`, and handles its client's frames.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from chat.errors import ChatError, SessionUnknown
from chat.events.published_frame import InvalidEvent, frames_of
from chat.observability import metrics, tracing
from chat.protocol import Error
from chat.schemas import QueueState
from chat.websocket.backpressure import ClientConnection, ClientNotReading
from chat.websocket.codecs import Codec
from chat.websocket.queue_position import QueuePositions
from chat.websocket.sync import Frames, SocketSync

logger = logging.getLogger(__name__)

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
BACKPRESSURE_CHECK_S = 0.25
END_REASON = "Session not authenticated or expired token"


class Socket(AsyncWebsocketConsumer):
    """A socket whose `disconnect` is always called, also if the client leaves in the handshake."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket."""
        await super().__call__(scope, receive, partial(_send_if_connected, send))


class SessionSocket(Socket):
    """One socket of one session."""

    session = ""
    codec: Codec
    sync: SocketSync
    queue_positions: QueuePositions

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one socket."""
        self.connection = ClientConnection(receive, send)
        # Frames of the client, events and timers are handled one at a time.
        self.turn = asyncio.Lock()
        self.background: set[asyncio.Task[None]] = set()
        self.is_open = False
        await super().__call__(scope, receive, send)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler named after the message's type.

        Channels' own method first closes old database connections in a thread, which costs a thread
        switch per event; a socket does not query the database itself.
        https://github.com/django/channels/blob/main/channels/consumer.py
        """
        try:
            # An event of an unknown type comes from another version: resync, as after a lost one.
            handler = getattr(self, message["type"].replace(".", "_"), self.session_queued)
            await handler(message)
        except ClientNotReading:
            self._abort()

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the socket, and do not wait long for the client to do the same."""
        await super().close(code, reason)
        self.connection.abort_soon()

    async def session_event(self, event: dict[str, Any]) -> None:
        """Forward the frames of a worker, an operator or another tab."""
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
        """Load what no frame announced: a reply to be regenerated, an operator who came or left."""
        if self._is_ours(event):
            await self._in_turn(self.sync.resync())

    async def session_typing(self, event: dict[str, Any]) -> None:
        """Ignore that somebody types, unless a subclass shows it."""

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
            if self.sync.is_queued:
                self.queue_positions.add(self.channel_name, self.session, self._on_position)

    def _on_position(self, queue: QueueState | None) -> bool:
        """Send the queue position, or find out why there is none; return whether to go on."""
        if not (self.is_open and self.sync.is_queued):
            return False
        self._start(self._in_turn(self.sync.on_position(queue)))
        return True

    async def _end(self) -> None:
        if self.is_open:
            self.is_open = False
            await self._send_frames(self.sync.end())
            await self.close(POLICY_VIOLATION, END_REASON)

    async def _close_flooded(self, error: ChatError) -> None:
        """Close the socket of a client that keeps sending far more frames than it may."""
        self.is_open = False
        await self.close(POLICY_VIOLATION, error.detail)
        # A server goes on reading after a close, until the client answers it.
        self.connection.abort()

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
        if event.get("session") == self.session:
            return self.is_open
        logger.error("An event of another session reached this socket")
        return False

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self.background.add(task)
        task.add_done_callback(self.background.discard)


async def _send_if_connected(send: Any, message: dict[str, Any]) -> None:
    """Send a message; do nothing if the client has disconnected.

    uvicorn raises ClientDisconnected, an OSError, or drops `accept` and raises RuntimeError for
    what follows. Either would end the consumer before it receives `websocket.disconnect`.
    """
    try:
        await send(message)
    except OSError:
        logger.debug("A frame was not sent: the client has disconnected")
    except RuntimeError as error:
        if not str(error).startswith("Expected ASGI message 'websocket.accept'"):
            raise
