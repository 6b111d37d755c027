"""What an operator does in one session: claim it, write, answer, give it back.

Everything goes through the commands that workers use, so an answer is stored once, in order, and
only by who holds the session's lease. Methods raise a ChatError, NotJoined or ModelWrites.
"""

from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from chat.events.delivery import UNANNOUNCED, publish
from chat.events.published_frame import frames_event
from chat.observability import metrics
from chat.protocol import Frame, ReplyDelta, ReplyStarted, check_message, reply_frame
from chat.schemas import FinishReason, NewReply, Record, Timings
from chat.store import leases, operators, sessions
from chat.store.client import AsyncStore
from chat.store.command import LeaseLost, NotJoined
from chat.store.leases import LeaseStatus, TakenMessage
from chat.store.operators import Claimed, ClaimStatus, Left
from chat.store.sessions import NO_MESSAGES, Limits, Stopped
from chat.takeover.access import OperatorUser


class ModelWrites(Exception):
    """A worker writes the reply to the message that waits longest."""


@dataclass(frozen=True)
class DeskSettings:
    """Settings of an operator's work. `process` is stored with each answer."""

    limits: Limits
    idle_s: float
    max_chars: int
    process: str


@dataclass
class Draft:
    """An answer that the visitor sees while it is written.

    `reply` names the text so far, and is another one whenever the text starts again.
    """

    id: UUID
    taken: TakenMessage
    reply: UUID = field(default_factory=uuid4)
    text: str = ""
    stored_bytes: int = 0


class Desk:
    """One operator in one session."""

    def __init__(
        self, store: AsyncStore, session: str, user: OperatorUser, settings: DeskSettings
    ) -> None:
        self._store = store
        self._session = session
        self._user = user
        self._settings = settings
        self._lease = ""
        self._name = ""
        self._draft: Draft | None = None
        self._is_active = True

    @property
    def is_joined(self) -> bool:
        """Whether this operator has claimed the session, as far as is known."""
        return bool(self._lease)

    async def join(self, claim: UUID, name: str, *, replace: bool, resume: bool) -> Claimed | None:
        """Claim the session; return the operator who has it already, None if the claim was made."""
        # The user is part of the lease, so nobody can join again with another's claim.
        lease = f"operator:{self._user.id} {claim}"
        command = operators.join(
            self._session, lease, name, self._user.name, replace=replace, resume=resume
        )
        there = await self._store.run(command)
        if there is None:
            self._lease, self._name, self._draft, self._is_active = lease, name, None, True
            await publish(self._session, UNANNOUNCED)
        return there

    async def leave(self) -> Left:
        """Give the session back to the model."""
        lease, self._lease, self._draft = self._lease, "", None
        left = await self._store.run(operators.leave(self._session, lease))
        if left.left:
            await publish(self._session, UNANNOUNCED)
        return left

    async def renew(self) -> ClaimStatus:
        """Renew the claim after a heartbeat of the page."""
        self._require_claim()
        command = operators.renew_claim(
            self._session,
            self._lease,
            is_active=self._is_active,
            idle_s=self._settings.idle_s,
        )
        status = await self._store.run(command)
        self._is_active = False
        if status.is_idle:
            self.forget()
            await publish(self._session, UNANNOUNCED)
        elif status.stop_requested and self._draft:
            await self._stop_draft(self._draft)
        return status

    def forget(self) -> None:
        """Note that the claim has ended."""
        self._lease, self._draft = "", None

    def note_activity(self) -> None:
        """Note that the operator did something."""
        self._is_active = True

    async def stop(self, message: UUID) -> Stopped | None:
        """Request that the model's reply ends."""
        self._require_claim()
        command = sessions.stop(self._session, message, ttl_s=self._settings.limits.ttl_s)
        stopped = await self._store.run(command)
        if stopped and stopped.new:
            await self._publish(reply_frame(stopped.message.public()))
        return stopped

    async def write(self, id: UUID, reply_to: UUID, text: str) -> None:
        """Show the visitor the text so far of an answer."""
        self._require_claim()
        if len(text) > self._settings.max_chars:
            check_message(text, self._settings.max_chars)
        draft = self._draft
        if draft is None or draft.id != id:
            draft = await self._begin(id, reply_to)
        if draft is None:
            return
        if text.startswith(draft.text):
            await self._extend(draft, text[len(draft.text) :])
        else:
            await self._restart(draft, text)

    async def answer(self, id: UUID, reply_to: UUID | None, text: str) -> int | None:
        """Store an answer once, and publish it; return its seq, None if it was stored before.

        Older messages that wait are answered by it, too. If `reply_to` does not wait, the text is
        stored as a message of its own.
        """
        self._require_claim()
        check_message(text, self._settings.max_chars)
        if reply_to is None or reply_to not in await self._pending():
            return await self._say(id, text)
        taken = await self._take_until(id, reply_to)
        reply = self._new_reply(taken, id, text, "stop")
        self._draft = None
        return await self._commit(reply)

    async def _begin(self, id: UUID, reply_to: UUID) -> Draft | None:
        """Take the lease for an answer; None if its message no longer waits."""
        if reply_to not in await self._pending():
            return None
        taken = await self._take_until(id, reply_to)
        if taken.stop_requested:
            await self._commit(self._new_reply(taken, id, "", "stop_requested"))
            return None
        self._draft = Draft(id, taken)
        await self._store_text(self._draft, "", -1)
        await self._publish(self._started(self._draft))
        return self._draft

    async def _take_until(self, id: UUID, reply_to: UUID) -> TakenMessage:
        """Take a message that waits; the older ones are answered together with it."""
        while True:
            taken = await self._take(id)
            if taken.message.id == reply_to:
                return taken
            own_id = uuid5(id, str(taken.message.id))
            await self._commit(self._new_reply(taken, own_id, "", "answered_together"))

    async def _take(self, id: UUID) -> TakenMessage:
        command = leases.take(self._session, self._lease, id, history=1, by_operator=True)
        taken = await self._store.run(command)
        if taken is None:
            status = operators.renew_claim(
                self._session, self._lease, is_active=True, idle_s=self._settings.idle_s
            )
            await self._store.run(status)  # raises NotJoined if that is the reason
            raise ModelWrites
        return taken

    async def _pending(self) -> tuple[UUID, ...]:
        return (await self._store.run(sessions.load(self._session, page=NO_MESSAGES))).pending

    async def _say(self, id: UUID, text: str) -> int | None:
        command = operators.say(
            self._session,
            self._lease,
            id,
            text,
            name=self._name,
            user=self._user.name,
            limits=self._settings.limits,
        )
        said = await self._store.run(command)
        if said.new:
            metrics.operator_messages.inc()
        await self._publish(reply_frame(said.message.public()))
        return said.message.seq if said.new else None

    async def _commit(self, reply: NewReply) -> int:
        command = leases.commit(
            self._session, self._lease, reply, ttl_s=self._settings.limits.ttl_s
        )
        try:
            committed = await self._store.run(command)
        except LeaseLost:
            raise NotJoined from None
        if reply.msg:
            metrics.operator_messages.inc()
        await self._publish(reply_frame(committed.message.public()))
        return committed.message.seq

    async def _stop_draft(self, draft: Draft) -> None:
        """Store what is written, because the visitor stopped it."""
        self._draft = None
        await self._commit(self._new_reply(draft.taken, draft.reply, draft.text, "stop_requested"))

    async def _extend(self, draft: Draft, text: str) -> None:
        if not text:
            return
        status = await self._store_text(draft, text, draft.stored_bytes)
        offset, draft.text = len(draft.text), draft.text + text
        draft.stored_bytes += len(text.encode())
        if status.length != draft.stored_bytes:  # Redis lost some of it
            await self._store_text(draft, draft.text, -1)
        reply_to = draft.taken.message.id
        await self._publish(ReplyDelta(reply_to=reply_to, id=draft.reply, offset=offset, text=text))

    async def _restart(self, draft: Draft, text: str) -> None:
        """Start the text again under a new id, because the operator changed its beginning."""
        draft.reply = uuid4()
        await self._store_text(draft, text, -1)
        draft.text, draft.stored_bytes = text, len(text.encode())
        reply_to = draft.taken.message.id
        frames: list[Frame] = [self._started(draft)]
        if text:
            frames.append(ReplyDelta(reply_to=reply_to, id=draft.reply, offset=0, text=text))
        await self._publish(*frames)

    def _started(self, draft: Draft) -> ReplyStarted:
        reply_to = draft.taken.message.id
        return ReplyStarted(reply_to=reply_to, id=draft.reply, operator=self._name)

    async def _store_text(self, draft: Draft, text: str, offset: int) -> LeaseStatus:
        command = leases.progress(self._session, self._lease, draft.reply, offset, text)
        try:
            return await self._store.run(command)
        except LeaseLost:
            raise NotJoined from None

    def _new_reply(
        self, taken: TakenMessage, id: UUID, text: str, finish_reason: FinishReason
    ) -> NewReply:
        waited_ms = round(taken.waited_s * 1000)
        return NewReply(
            id=id,
            source="operator",
            operator=self._name,
            msg=text,
            reply_to=taken.message.id,
            finish_reason=finish_reason,
            pieces=1,
            usage=None,
            timings=Timings(queued_ms=waited_ms, total_ms=waited_ms),
            error=None,
            replaces=taken.replaces,
            record=Record(
                attempts=1, worker=self._settings.process, model="", user=self._user.name
            ),
        )

    async def _publish(self, *frames: Frame) -> None:
        await publish(self._session, frames_event(frames, None))

    def _require_claim(self) -> None:
        if not self._lease:
            raise NotJoined
