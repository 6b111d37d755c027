"""The operators' WebSockets: one in a session, and one on the page of requests.

They are for the admin's pages. Both need the admin's session, second factor and permissions, which
are checked again while the socket is open. `chat.takeover` decides; the consumers translate.
"""

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import Any

from django.conf import settings

from chat.container import (
    async_store,
    client_limits,
    limits,
    queue_positions,
    socket_limit,
    worker_name,
)
from chat.errors import ChatError, MessageInvalid, SessionUnknown, StoreUnavailable
from chat.events.delivery import (
    REQUESTS_GROUP,
    group_name,
    publish,
    publish_requests,
    typing_event,
)
from chat.observability import metrics
from chat.observability.logs import set_log_session
from chat.protocol import Frame, MessageTyping, ReplyStop, check_size
from chat.store import operators, sessions
from chat.store.command import NotJoined
from chat.store.operators import Request
from chat.takeover.access import load_operator
from chat.takeover.desk import Desk, DeskSettings, ModelWrites
from chat.takeover.frames import (
    OperatorAnswer,
    OperatorFrame,
    OperatorJoin,
    OperatorLeave,
    OperatorPing,
    OperatorPong,
    OperatorRefused,
    OperatorRequests,
    OperatorTypes,
    OperatorWrite,
    Refusal,
    RequestRow,
    claim_frame,
    parse_operator_frame,
)
from chat.takeover.trail import record
from chat.websocket.codecs import ChatV1Codec
from chat.websocket.rate_limit import FrameRateLimit
from chat.websocket.session_socket import POLICY_VIOLATION, SessionSocket, Socket
from chat.websocket.sync import SocketSync

PING_INTERVAL_S = 1.5
DUTY_PING_INTERVAL_S = 5.0
CHECK_ACCESS_S = 10.0
DETAILS: dict[Refusal, str] = {
    "claimed": "Another operator answers this conversation.",
    "not_joined": "You no longer answer this conversation. Join again to go on.",
    "not_permitted": "You may not do this.",
    "model_writes": "The model is writing a reply. Wait for its end, or stop it.",
}


class OperatorConsumer(SessionSocket):
    """The socket of an operator's page of one session."""

    codec = ChatV1Codec()

    async def connect(self) -> None:
        """Accept an operator, send the session, and begin the heartbeats."""
        self.queue_positions = queue_positions()
        self.is_admitted = False
        self.session = self.scope["url_route"]["kwargs"]["session"]
        user = await load_operator(self.scope)
        if user is None:
            await self.close()
            return
        self.user, self.checked_at = user, time.monotonic()
        set_log_session(self.session)
        try:
            socket_limit().take()
            self.is_admitted = True
            await self.channel_layer.group_add(group_name(self.session), self.channel_name)
            session = await async_store().run(sessions.load(self.session))
        except ChatError as error:
            await self.accept()
            await self._send_error(error)
            await self.close(POLICY_VIOLATION, error.detail)
            return
        self.sync = SocketSync(async_store(), session, self.codec, client_limits())
        self.desk = Desk(async_store(), self.session, user, _desk_settings())
        self.rate_limit = FrameRateLimit(settings.MESSAGES_PER_MINUTE, frames_per_minute=600)
        self.is_open = True
        await self.accept()
        await self._send_frames(self.sync.open(session))
        there = session.operator
        if there:
            await self._send_own(claim_frame(False, there.name, there.user, there.joined_at))
        else:
            await self._send_own(claim_frame(False))
        self._start(self._run_timers())
        self._start(self._ping())

    async def disconnect(self, code: int) -> None:
        """Leave the group. The claim lives on for some seconds, so that the page can come back."""
        if self.is_admitted:
            socket_limit().release()
            await self.channel_layer.group_discard(group_name(self.session), self.channel_name)
        self.queue_positions.remove(self.channel_name)
        for task in self.background:
            task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle one frame of the operator's page."""
        if not self.is_open:
            return
        await self.connection.wait_until_writable()
        self._watch_backpressure()
        ref = None
        try:
            self.rate_limit.spend()
            if text_data is None:
                raise MessageInvalid("Binary frames are not supported. Send text.")
            check_size(text_data)
            frame = parse_operator_frame(text_data)
            ref = str(getattr(frame, "id", None) or "") or None
            async with self.turn:
                await self._handle(frame)
        except SessionUnknown:
            await self._end()
        except NotJoined:
            self.desk.forget()
            await self._refuse("not_joined", ref)
        except ModelWrites:
            await self._refuse("model_writes", ref)
        except ChatError as error:
            await self._send_error(error, ref)
            if self.rate_limit.is_flooded:
                await self._close_flooded(error)
        finally:
            self.backpressure_check.cancel()

    async def session_typing(self, event: dict[str, Any]) -> None:
        """Show the operator that the visitor types."""
        if self._is_ours(event) and event["source"] == "human":
            await self._send_own(MessageTyping())

    async def _handle(self, frame: OperatorFrame) -> None:
        if not isinstance(frame, OperatorPong):
            self.desk.note_activity()
        match frame:
            case OperatorPong():
                await self._renew()
            case OperatorJoin():
                await self._join(frame)
            case OperatorLeave():
                await self.desk.leave()
                await self._send_own(claim_frame(False))
                await record(self.user, self.session, "Left the conversation")
            case OperatorWrite():
                await self.desk.write(frame.id, frame.reply_to, frame.msg)
            case OperatorAnswer():
                seq = await self.desk.answer(frame.id, frame.reply_to, frame.msg)
                if seq:
                    await record(self.user, self.session, f"Wrote message {seq}")
            case OperatorTypes():
                if self.desk.is_joined:
                    await publish(self.session, typing_event("operator"))
            case ReplyStop():
                await self.desk.stop(frame.reply_to)

    async def _join(self, frame: OperatorJoin) -> None:
        if not await self._may_stay():
            return
        if frame.replace and not self.user.may_replace:
            await self._refuse("not_permitted", None)
            return
        there = await self.desk.join(
            frame.claim, frame.name, replace=frame.replace, resume=frame.resume
        )
        if there:
            await self._send_own(claim_frame(False, there.name, there.user, there.joined_at))
            await self._refuse("claimed", None)
            return
        await self._send_own(claim_frame(True, frame.name, self.user.name))
        await publish_requests()
        if not frame.resume:
            metrics.operator_joins.inc()
            action = "Took the conversation over" if frame.replace else "Joined the conversation"
            await record(self.user, self.session, action, f" as “{frame.name}”")

    async def _renew(self) -> None:
        """Renew the claim, as long as the user may still have one."""
        if not await self._may_stay() or not self.desk.is_joined:
            return
        # While Redis does not respond, the claim lives or ends by its own clock.
        with contextlib.suppress(StoreUnavailable):
            if (await self.desk.renew()).is_idle:
                await self._send_own(claim_frame(False))
                await self._refuse("not_joined", None)
                await record(self.user, self.session, "Was idle, so the model answers again")

    async def _may_stay(self) -> bool:
        """Check the user's session and permissions again, if that was a while ago."""
        if time.monotonic() - self.checked_at < CHECK_ACCESS_S:
            return True
        user = await load_operator(self.scope)
        if user is None or user.id != self.user.id:
            if self.desk.is_joined:
                await self.desk.leave()
            self.is_open = False
            await self._refuse("not_permitted", None)
            await self.close(POLICY_VIOLATION, "Not permitted")
            return False
        self.user, self.checked_at = user, time.monotonic()
        return True

    async def _ping(self) -> None:
        while self.is_open:
            await self._send_own(OperatorPing())
            await asyncio.sleep(PING_INTERVAL_S)
            # The socket is registered nowhere, so it looks itself whether it missed an event.
            await self._in_turn(self.sync.resync())

    async def _refuse(self, reason: Refusal, ref: str | None) -> None:
        await self._send_own(OperatorRefused(reason=reason, detail=DETAILS[reason], ref=ref))

    async def _send_own(self, frame: Frame) -> None:
        """Send a frame that only operators receive."""
        await self.send(text_data=frame.model_dump_json())


class RequestsConsumer(Socket):
    """The socket of a page that shows who asks for a person."""

    async def connect(self) -> None:
        """Accept an operator and send the list."""
        self.is_admitted = False
        self.shown: tuple[Request, ...] | None = None
        if await load_operator(self.scope) is None:
            await self.close()
            return
        try:
            socket_limit().take()
        except ChatError:
            await self.close()
            return
        self.is_admitted = True
        await self.channel_layer.group_add(REQUESTS_GROUP, self.channel_name)
        await self.accept()
        self.pinging = asyncio.create_task(self._ping())

    async def disconnect(self, code: int) -> None:
        """Leave the group, and be no longer on duty."""
        if self.is_admitted:
            socket_limit().release()
            self.pinging.cancel()
            await self.channel_layer.group_discard(REQUESTS_GROUP, self.channel_name)
            with contextlib.suppress(StoreUnavailable):
                command = operators.stay_on_duty(self.channel_name, is_over=True)
                await async_store().run(command)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Stay on duty: the page answered a ping."""
        with contextlib.suppress(StoreUnavailable):
            await async_store().run(operators.stay_on_duty(self.channel_name))

    async def requests_changed(self, event: dict[str, Any]) -> None:
        """Send the list again, if it is another one."""
        with contextlib.suppress(StoreUnavailable):
            await self._send_requests()

    async def _ping(self) -> None:
        """Send the list now and then, too: it changes when sessions expire."""
        while True:
            if await load_operator(self.scope) is None:
                await self.close(POLICY_VIOLATION, "Not permitted")
                return
            with contextlib.suppress(StoreUnavailable):
                await self._send_requests()
            await self.send(text_data=OperatorPing().model_dump_json())
            await asyncio.sleep(DUTY_PING_INTERVAL_S)

    async def _send_requests(self) -> None:
        found = await async_store().run(operators.requests())
        if found == self.shown:
            return
        self.shown = found
        rows = tuple(RequestRow(**asdict(each)) for each in found)
        await self.send(text_data=OperatorRequests(requests=rows).model_dump_json())


def _desk_settings() -> DeskSettings:
    return DeskSettings(
        limits=limits(),
        idle_s=settings.OPERATOR_IDLE_S,
        max_chars=settings.MAX_MESSAGE_CHARS,
        process=worker_name(),
    )
