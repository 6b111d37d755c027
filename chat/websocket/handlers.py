"""What a client's frames do: each handler changes the document and returns what follows."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from chat.addresses import network_of
from chat.errors import MessageInvalid, UnknownModel
from chat.events.delivery import CHANGED, UNANNOUNCED, Event
from chat.events.published_frame import frames_event
from chat.observability import metrics, tracing
from chat.protocol import (
    ClientFrame,
    Frame,
    MessageAccepted,
    MessageSend,
    MessageTyping,
    ModelChoice,
    OperatorRequest,
    ReplyContinue,
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
    SessionVersion,
    VersionChoose,
    VersionLoad,
    check_comment,
    check_message,
    message_frame,
    reply_frame,
)
from chat.store import branches, operators, ratings, sessions
from chat.store.client import AsyncStore
from chat.store.operators import SupportState
from chat.store.sessions import OLDEST_PAGE, Limits
from chat.websocket.rate_limit import ReadLimits

logger = logging.getLogger(__name__)

# Clients send that the visitor types every two seconds; more is ignored.
TYPING_INTERVAL_S = 1.0
# While more sessions wait for a worker, no tasks are published for others: workers claim them.
MAX_WAITING = 5_000


@dataclass(frozen=True)
class Effects:
    """What follows after a frame was handled, in this order.

    `enqueue`: publish the session's task. `pong`: send this, which says nothing about the
    session and does not count for its timers. `load_after`: send the messages after this seq, and
    the ratings after the revision `load_rated`. `frame`: send this to the client, with `repeat`
    even if it was sent before. `resync`: send what was missed. `request`: the visitor asks for a
    person, or no longer does. `is_typing`: tell the operator who is there. `event`: publish this to
    all sockets of the session.
    """

    enqueue: bool = False
    pong: SessionPong | None = None
    load_after: int | None = None
    load_rated: int = 0
    frame: Frame | None = None
    repeat: bool = False
    resync: bool = False
    request: SupportState | None = None
    is_typing: bool = False
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
        models: Sequence[ModelChoice] = (),
    ) -> None:
        self._store = store
        self._limits = limits
        self._read_limits = read_limits
        self._session = session
        self._address = address
        self._typed_at = float("-inf")
        self._models = frozenset(model.name for model in models)

    async def handle(self, frame: ClientFrame) -> Effects:
        """Handle a frame; raises a ChatError, and then nothing was changed."""
        match frame:
            case MessageSend():
                return await self._message_send(frame)
            case ReplyStop():
                return await self._reply_stop(frame)
            case ReplyRegenerate():
                return await self._request_reply(frame.reply_to)
            case ReplyRate():
                return await self._reply_rate(frame)
            case ReplyContinue():
                return await self._request_reply(frame.reply_to, is_continued=True)
            case VersionLoad():
                self._count_read()
                return Effects(frame=await self._replaced_messages(frame.id))
            case VersionChoose():
                return await self._version_choose(frame)
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
            case MessageTyping():
                return Effects(is_typing=self._may_type())
            case OperatorRequest():
                return await self._operator_request(frame)

    def _count_read(self) -> None:
        self._read_limits.spend(self._session, network_of(self._address))

    def _may_type(self) -> bool:
        now = time.monotonic()
        is_allowed = now - self._typed_at >= TYPING_INTERVAL_S
        self._typed_at = now if is_allowed else self._typed_at
        return is_allowed

    async def _operator_request(self, frame: OperatorRequest) -> Effects:
        if not settings.HUMAN_SUPPORT:
            raise MessageInvalid("This site does not offer to talk to a person.")
        command = operators.request(self._session, wanted=frame.wanted)
        state = await self._store.run(command)
        if state.requested:
            metrics.operator_requests.labels("yes" if state.on_duty else "no").inc()
        return Effects(request=state, event=UNANNOUNCED)

    async def _earlier_messages(self, before: int) -> SessionMessages:
        page = await self._store.run(sessions.load(self._session, before=before))
        return SessionMessages(
            before=before,
            messages=tuple(message.for_client() for message in page.messages),
            has_earlier=page.is_truncated,
        )

    def _check_model(self, model: str | None) -> None:
        if model is not None and model not in self._models:
            raise UnknownModel

    async def _message_send(self, frame: MessageSend) -> Effects:
        check_message(frame.msg, settings.MAX_MESSAGE_CHARS)
        self._check_model(frame.model)
        command = sessions.accept(
            self._session,
            frame.id,
            frame.msg,
            address=self._address,
            limits=self._limits,
            model=frame.model,
            trace=tracing.current(),
            replaces=frame.replaces,
        )
        accepted = await self._store.run(command)
        answer = MessageAccepted(message=accepted.message.public())
        if not accepted.new:
            return Effects(frame=answer, repeat=True)
        metrics.messages_accepted.inc()
        logger.info("Message accepted", extra={"facts": {"seq": accepted.message.seq}})
        # Most sessions have one tab: then nobody else needs an event.
        event = frames_event([answer], tracing.current()) if accepted.sockets > 1 else None
        is_useful = accepted.waiting <= MAX_WAITING
        return Effects(enqueue=is_useful, frame=answer, event=event)

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

    async def _request_reply(self, reply_to: UUID, *, is_continued: bool = False) -> Effects:
        command = sessions.regenerate(
            self._session,
            reply_to,
            address=self._address,
            limits=self._limits,
            is_continued=is_continued,
        )
        await self._store.run(command)
        return Effects(enqueue=True, resync=True, event=UNANNOUNCED)

    async def _replaced_messages(self, version: UUID) -> SessionVersion:
        branch = await self._store.run(branches.find(self._session, version))
        command = sessions.load(
            self._session, branch.first - 1, before=branch.last + 1, page=OLDEST_PAGE
        )
        page = await self._store.run(command)
        return SessionVersion(
            id=version,
            messages=tuple(
                message.public()
                if message.replaced_by == branch.replaced_by
                else message.for_client()
                for message in page.messages
                if message.replaced_by
            ),
            has_more=page.is_truncated,
        )

    async def _version_choose(self, frame: VersionChoose) -> Effects:
        command = branches.choose(
            self._session, frame.id, frame.version, address=self._address, limits=self._limits
        )
        chosen = await self._store.run(command)
        if not chosen.new:
            return Effects(frame=message_frame(chosen.message.public()), repeat=True)
        return Effects(resync=True, event=UNANNOUNCED)

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
