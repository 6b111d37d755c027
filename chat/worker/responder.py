"""Answer one message: lease, history, inference, commit.

Commit first, then tell. Whatever happens here, the message ends with one stored outcome: this
worker's, or that of the worker the sweep finds after this one's lease ran out.
"""

import logging
import secrets
import time
from dataclasses import dataclass
from uuid import uuid4

from chat.errors import SessionUnknown
from chat.events.delivery import Delivery
from chat.observability import metrics, tracing
from chat.observability.logs import log_context
from chat.protocol import reply_frame
from chat.schemas import NewReply, Record
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.command import LeaseLost
from chat.store.leases import TakenMessage
from chat.worker.history import window
from chat.worker.lease_renewer import CancelReason, LeaseHandle, LeaseRenewer
from chat.worker.writer import Outcome, ReplyWriter
from inference.model_client import ModelClient, Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResponderSettings:
    """The figures an answer needs. `worker` and `model` are for the operator's record."""

    history_messages: int
    deadline_s: float
    ttl_s: float
    worker: str
    model: str


class Responder:
    """The use-case. Threads may share it."""

    def __init__(
        self, store: Store, delivery: Delivery, model: ModelClient, settings: ResponderSettings
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._model = model
        self._settings = settings
        self._keeper = LeaseRenewer(store)

    def answer_next(self, session: str) -> bool:
        """Answer a session's oldest waiting message; return whether another one waits.

        Does nothing where nothing waits or another worker is at it. Raises StoreUnavailable.
        """
        with log_context(session=session):
            taken = self._take(session)
            if taken is None:
                return False
            message = taken.message
            with (
                log_context(message=str(message.id)),
                tracing.reply(str(message.id), message.trace),
            ):
                return self._answer(taken)

    def hand_over(self) -> None:
        """Give every reply back unfinished, for other workers: this process is told to go."""
        self._keeper.end_all(CancelReason.HANDOVER)

    def _take(self, session: str) -> TakenMessage | None:
        lease = f"{self._settings.worker} {secrets.token_hex(16)}"
        command = leases.take(session, lease, uuid4(), history=self._settings.history_messages)
        return self._store.run(command)

    def _answer(self, taken: TakenMessage) -> bool:
        session, lease = taken.session, taken.lease
        metrics.reply_taken(taken.waited_s, taken.attempts)
        logger.debug("Message taken", extra={"facts": {"attempt": taken.attempts}})
        deadline = time.monotonic() + self._settings.deadline_s - taken.waited_s
        with (
            metrics.reply_in_progress(),
            self._keeper.keeping(LeaseHandle(session, lease, taken.reply, deadline)) as hold,
        ):
            outcome = self._write(taken, hold)
            if outcome:
                return self._commit(taken, outcome)
            if hold.ending is CancelReason.LOST:
                metrics.lease_lost()
        if hold.ending is CancelReason.HANDOVER:
            self._store.run(leases.release(session, lease))
        logger.info("Reply given up", extra={"facts": {"why": str(hold.ending)}})
        return False

    def _write(self, taken: TakenMessage, hold: LeaseHandle) -> Outcome | None:
        writer = ReplyWriter(self._store, self._delivery, self._model, taken, hold)
        return writer.write(self._turns(taken))

    def _turns(self, taken: TakenMessage) -> tuple[Turn, ...]:
        """Return what the model is shown; reads the whole talk where many replies were left out."""
        most = self._settings.history_messages
        turns = window(taken.history, taken.message, most)
        if len(turns) == most or taken.history[0].seq == 1:
            return turns
        whole = self._store.run(sessions.load(taken.session))
        return window(whole.messages, taken.message, most)

    def _commit(self, taken: TakenMessage, outcome: Outcome) -> bool:
        reply = self._reply(taken, outcome)
        command = leases.commit(taken.session, taken.lease, reply, ttl_s=self._settings.ttl_s)
        try:
            committed = self._store.run(command)
        except LeaseLost:
            metrics.lease_lost()
            return False
        except SessionUnknown:
            return False
        metrics.reply_committed(reply)
        logger.info("Reply stored", extra={"facts": _facts(reply)})
        told = reply_frame(committed.message.public())
        self._delivery.publish(taken.session, *outcome.untold, told)
        return committed.pending > 0

    def _reply(self, taken: TakenMessage, outcome: Outcome) -> NewReply:
        return NewReply(
            id=outcome.reply,
            msg=outcome.text,
            reply_to=taken.message.id,
            finish_reason=outcome.finish_reason,
            pieces=outcome.pieces,
            usage=outcome.usage,
            timings=outcome.timings,
            error=outcome.failure,
            replaces=taken.replaces,
            record=Record(
                attempts=taken.attempts, worker=self._settings.worker, model=self._settings.model
            ),
        )


def _facts(reply: NewReply) -> dict[str, object]:
    """Return what a log line tells of a reply: all but its text."""
    return {
        "reply": str(reply.id),
        "outcome": reply.error.code if reply.error else reply.finish_reason,
        "attempts": reply.record.attempts,
        **reply.timings.model_dump(exclude_none=True),
    }
