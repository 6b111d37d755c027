"""Answers one message: take the lease, query the model, commit the outcome.

Commit first, then publish. Whatever happens here, the message gets exactly one stored outcome: this
worker's, or that of the worker to which the sweep gives the session after this one's lease expired.
"""

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from chat.errors import ErrorCode, SessionUnknown, StoreUnavailable
from chat.events.delivery import Delivery
from chat.observability import metrics, tracing
from chat.observability.logs import log_context
from chat.protocol import Frame, reply_frame
from chat.schemas import Failure, NewReply, Record, Timings
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.command import LeaseLost
from chat.store.leases import Attempt, HistoryUnreadable, ModelBusy, TakenMessage
from chat.store.timing import GRACE_MS
from chat.worker.history import history_window
from chat.worker.lease_renewer import CancelReason, LeaseHandle, LeaseRenewer
from chat.worker.model_queue import ModelQueue
from chat.worker.progress import Progress
from chat.worker.writer import Outcome, ReplyWriter
from inference.model_catalog import ModelCatalog, Route
from inference.model_client import Turn
from inference.model_pool import Endpoint

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
INTERNAL = Failure(
    code=ErrorCode.REPLY_INTERNAL,
    detail="Something went wrong on the server. Please tell the site's operator.",
    retryable=True,
)


@dataclass(frozen=True)
class ResponderSettings:
    """Settings of a reply. `worker` is stored for the operator.

    `shows_models`: replies name the model that wrote them, because there is more than one.
    """

    history_messages: int
    deadline_s: float
    ttl_s: float
    worker: str
    shows_models: bool = False


class Responder:
    """Answers messages. Thread-safe."""

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        models: ModelCatalog,
        queue: ModelQueue,
        settings: ResponderSettings,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._models = models
        self._queue = queue
        self._settings = settings
        self._renewer = LeaseRenewer(store)
        self._progress = Progress(store, delivery)
        self._longest_wait_ms = 0

    def answer_next(self, session: str) -> bool:
        """Answer a session's oldest waiting message; return whether another one waits.

        Does nothing if no message waits or another worker holds the lease. Raises StoreUnavailable.
        """
        with log_context(session=session):
            try:
                taken = self._take(session)
            except HistoryUnreadable as error:
                return self._give_up(error.attempt, error)
            except ModelBusy as error:
                self._queue.wait(error.model, session)
                return False
            if taken is None:
                return False
            message = taken.message
            with (
                log_context(message=str(message.id)),
                tracing.reply(str(message.id), message.trace),
            ):
                try:
                    with self._models.route(taken.message.model) as route:
                        return self._answer(taken, route)
                except StoreUnavailable:
                    raise
                except Exception as error:  # noqa: BLE001 a defect must not be retried forever
                    return self._give_up(taken, error)

    @property
    def is_queue_long(self) -> bool:
        """Whether any session had waited for longer than a task needs when a reply was stored."""
        return self._longest_wait_ms > GRACE_MS

    def release_all(self) -> None:
        """Hand every reply back unfinished, because this process shuts down."""
        self._renewer.release_all()

    def _take(self, session: str) -> TakenMessage | None:
        lease = f"{self._settings.worker} {secrets.token_hex(16)}"
        command = leases.take(
            session,
            lease,
            uuid4(),
            history=self._settings.history_messages,
            full_models=self._models.full_models(),
            default_model=self._models.default,
        )
        return self._store.run(command)

    def _answer(self, taken: TakenMessage, route: Route) -> bool:
        if not route.reserve():  # another thread of this worker was faster
            self._store.run(leases.release(taken.session, taken.lease))
            self._queue.wait(route.model, taken.session)
            return False
        metrics.reply_queue_seconds.observe(taken.waited_s)
        if taken.attempts > 1:
            metrics.replies_restarted.inc()
        logger.debug("Message taken", extra={"facts": {"attempt": taken.attempts}})
        # The deadline counts from acceptance.
        deadline = time.monotonic() + self._settings.deadline_s - taken.waited_s
        handle = LeaseHandle(taken.session, taken.lease, taken.reply, deadline)
        with metrics.replies_in_progress.track_inprogress(), self._renewer.renewing(handle):
            outcome = self._write(taken, route, handle)
            if outcome:
                return self._commit(taken, route, outcome)
        if handle.cancel_reason is CancelReason.LEASE_LOST:
            metrics.leases_lost.inc()
        if handle.cancel_reason is CancelReason.SHUTDOWN:
            self._store.run(leases.release(taken.session, taken.lease))
        reason = handle.cancel_reason.name.lower() if handle.cancel_reason else "lease_lost"
        logger.info("Reply abandoned", extra={"facts": {"reason": reason}})
        return False

    def _write(self, taken: TakenMessage, route: Route, handle: LeaseHandle) -> Outcome | None:
        writer = ReplyWriter(self._store, self._delivery, self._progress, route, taken, handle)
        beginning = (Turn("bot", taken.continues.msg),) if taken.continues else ()
        return writer.write((*self._turns(taken), *beginning))

    def _turns(self, taken: TakenMessage) -> tuple[Turn, ...]:
        """Return the history window; load earlier messages if many replies were left out."""
        size = self._settings.history_messages
        messages = taken.history
        while True:
            turns = history_window(messages, taken.message, size)
            if len(turns) == size or messages[0].seq == 1:
                return turns
            earlier = self._store.run(sessions.load(taken.session, before=messages[0].seq)).messages
            if not earlier:  # Redis lost them since
                return turns
            messages = (*earlier, *messages)

    def _commit(self, taken: TakenMessage, route: Route, outcome: Outcome) -> bool:
        reply = self._new_reply(taken, route, outcome)
        return self._store_reply(taken, reply, outcome.unpublished)

    def _give_up(self, attempt: Attempt, error: Exception) -> bool:
        """End an attempt that failed unexpectedly; after MAX_ATTEMPTS, the message has failed."""
        facts = {"attempt": attempt.attempts}
        logger.error("The attempt failed", exc_info=error, extra={"facts": facts})
        if attempt.attempts < MAX_ATTEMPTS:
            self._store.run(leases.release(attempt.session, attempt.lease))
            return False
        waited_ms = round(attempt.waited_s * 1000)
        reply = NewReply(
            id=uuid4(),
            msg="",
            reply_to=attempt.message_id,
            finish_reason=None,
            pieces=0,
            usage=None,
            timings=Timings(queued_ms=waited_ms, total_ms=waited_ms),
            error=INTERNAL,
            replaces=attempt.replaces,
            record=self._record(attempt),
        )
        return self._store_reply(attempt, reply)

    def _store_reply(
        self, attempt: Attempt, reply: NewReply, unpublished: Sequence[Frame] = ()
    ) -> bool:
        """Commit and publish the outcome; return whether another message waits."""
        ttl_s = self._settings.ttl_s
        command = leases.commit(attempt.session, attempt.lease, reply, ttl_s=ttl_s)
        try:
            committed = self._store.run(command)
        except LeaseLost:
            metrics.leases_lost.inc()
            return False
        except SessionUnknown:
            return False
        self._longest_wait_ms = committed.longest_wait_ms
        metrics.record_reply(reply)
        logger.info("Reply stored", extra={"facts": _log_facts(reply)})
        frame = reply_frame(committed.message.public())
        self._delivery.publish(attempt.session, *unpublished, frame)
        return committed.pending > 0

    def _new_reply(self, taken: TakenMessage, route: Route, outcome: Outcome) -> NewReply:
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
            continues=taken.replaces if outcome.continues else None,
            model=route.model if self._settings.shows_models else None,
            record=self._record(taken, route.endpoint),
        )

    def _record(self, attempt: Attempt, endpoint: Endpoint | None = None) -> Record:
        return Record(
            attempts=attempt.attempts,
            worker=self._settings.worker,
            model=endpoint.served_name if endpoint else "",
            endpoint=endpoint.name if endpoint else None,
        )


def _log_facts(reply: NewReply) -> dict[str, object]:
    """Return what a log line contains of a reply: everything but its text."""
    return {
        # Shortened: a whole UUID could be a token, so it would be redacted.
        "reply": str(reply.id)[:8],
        "outcome": reply.error.code if reply.error else reply.finish_reason,
        "attempts": reply.record.attempts,
        **reply.timings.model_dump(exclude_none=True),
    }
