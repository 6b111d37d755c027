"""Writes one reply: queries the model, stores and publishes its text, retries if that can help."""

import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from chat.errors import ErrorCode, SessionUnknown, StoreUnavailable
from chat.events.delivery import Delivery
from chat.observability import metrics
from chat.protocol import Frame, ModelLoading, ReplyDelta, ReplyStarted, ReplyThinking
from chat.schemas import Failure, FinishReason, Timings, Usage
from chat.store.client import Store
from chat.store.command import LeaseLost
from chat.store.leases import TakenMessage
from chat.store.operation import statistics
from chat.worker.lease_renewer import CancelReason, LeaseHandle
from chat.worker.progress import DELTA_INTERVAL_S, Draft, Progress
from inference.model_catalog import Route
from inference.model_client import Generation, Turn
from inference.model_errors import GenerationCancelled, ModelError
from inference.model_errors import ModelLoading as ModelIsLoading
from inference.retry import retry_delay_s

logger = logging.getLogger(__name__)

MIN_LOADING_WAIT_S = 0.5
THINKING_INTERVAL_S = 1.0
DEADLINE = Failure(
    code=ErrorCode.REPLY_DEADLINE,
    detail="The reply was not ready in time. Try again.",
    retryable=True,
)


@dataclass(frozen=True)
class Outcome:
    """How a message ends: a text and its finish reason, or a failure with the text so far.

    `unpublished` is the last part of the text if it arrived together with the end. `continues` if
    the text continues the earlier reply: it is longer, or the model has nothing to add.
    """

    reply: UUID
    text: str
    pieces: int
    timings: Timings
    unpublished: tuple[ReplyDelta, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    continues: bool = False


class ReplyWriter:
    """Writes the reply to one taken message while its lease is held."""

    def __init__(
        self,
        store: Store,
        delivery: Delivery,
        progress: Progress,
        route: Route,
        taken: TakenMessage,
        handle: LeaseHandle,
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._progress = progress
        self._route = route
        self._taken = taken
        self._handle = handle
        self._taken_at = time.monotonic()
        self._first_text_at: float | None = None
        self._retries = 0
        self._last_error: ModelError | None = None
        self._thinking_at = float("-inf")
        self._beginning = taken.continues.msg if taken.continues else ""
        self._draft = Draft(handle, taken.message.id)
        self._unstored_since = 0.0

    def write(self, turns: Sequence[Turn]) -> Outcome | None:
        """Return the outcome; None if this worker must not commit one."""
        if self._taken.stop_requested:
            return self._stopped_before()
        try:
            self._start_text()
            return self._generate_with_retries(turns)
        except (LeaseLost, SessionUnknown):
            return None
        finally:
            self._progress.end(self._draft)

    def _generate_with_retries(self, turns: Sequence[Turn]) -> Outcome | None:
        while True:
            try:
                return self._generate(turns)
            except GenerationCancelled:
                return self._cancelled()
            except ModelError as error:
                self._record(error)
                if self._route.can_fail_over(error):
                    self._fail_over()
                    continue
                error = self._route.error or error
                self._last_error = error
                if not self._wait_for_retry(error):
                    return self._cancelled() if self._handle.cancel_reason else self._failed(error)
                self._route.start_again()

    def _generate(self, turns: Sequence[Turn]) -> Outcome:
        if self._handle.remaining_s() <= 0:
            return self._outcome(failure=self._deadline_failure())
        logger.debug("Calling the model", extra={"facts": {"turns": len(turns)}})
        request_id = str(self._taken.message.id)
        with self._route.call() as model:
            generation = model.generate(turns, request_id=request_id)
            with metrics.model_call_seconds.time(), generation, self._handle.cancels(generation):
                for piece in generation:
                    if piece:
                        self._add(piece, generation.has_more)
                    else:
                        self._think()
        return self._outcome(
            finish_reason="length" if generation.finish_reason == "length" else "stop",
            usage=_usage(generation),
        )

    def _record(self, error: ModelError) -> None:
        """Count the failed call; an operator must change something about a permanent one."""
        metrics.model_errors.labels(error.code).inc()
        level = logging.WARNING if error.permanent else logging.INFO
        facts = {"code": error.code} | ({"reason": error.reason} if error.reason else {})
        logger.log(level, "The model call failed", extra={"facts": facts})
        if error.permanent:
            with suppress(StoreUnavailable):
                self._store.run(statistics.count_event(statistics.refused(error.reason)))

    def _fail_over(self) -> None:
        """Ask another endpoint at once; text of the last one does not count."""
        metrics.model_failovers.labels(self._route.model).inc()
        if self._draft.text:
            self._restart()

    def _wait_for_retry(self, error: ModelError) -> bool:
        """Wait as long as this error requires; return whether to call the model again."""
        delay_s = retry_delay_s(error, self._retries, jitter=random.random())  # noqa: S311
        remaining_s = self._handle.remaining_s()
        if isinstance(error, ModelIsLoading) and delay_s is not None:
            # A model may be ready earlier than it says: try again before the deadline.
            delay_s = max(min(delay_s, remaining_s / 2), MIN_LOADING_WAIT_S)
        if delay_s is None or delay_s >= remaining_s:
            return False
        if isinstance(error, ModelIsLoading):
            self._publish_loading(delay_s)
        else:
            self._retries += 1
        if self._handle.wait(delay_s):
            return False
        if self._has_added:
            self._restart()
        return True

    def _publish_loading(self, delay_s: float) -> None:
        """Publish when the model is called again, and store it for clients that connect later.

        If Redis does not respond just now, that is no reason to give up.
        """
        with suppress(StoreUnavailable):
            self._store_draft(retry_in_s=delay_s)
            self._store.run(statistics.count_event("loading"))
        self._publish(ModelLoading(reply_to=self._taken.message.id, retry_in_s=round(delay_s, 3)))

    def _think(self) -> None:
        """Publish now and then that the model reasons; text so far was reasoning, too."""
        if self._has_added:
            self._restart()
        now = time.monotonic()
        if now - self._thinking_at >= THINKING_INTERVAL_S:
            self._thinking_at = now
            self._publish(ReplyThinking(reply_to=self._taken.message.id, id=self._handle.reply))

    def _restart(self) -> None:
        """Start the text again under a new id, so that no client joins two attempts."""
        self._progress.end(self._draft)
        self._handle.reply = uuid4()
        self._draft = Draft(self._handle, self._taken.message.id)
        self._store_draft()
        self._start_text()

    def _start_text(self) -> None:
        """Publish the start of the text; a continuation starts with the earlier reply's text."""
        earlier = self._taken.continues
        self._publish(
            ReplyStarted(
                reply_to=self._taken.message.id,
                id=self._handle.reply,
                continues=earlier.id if earlier else None,
            )
        )
        if self._beginning:
            self._draft.text = self._beginning
            self._progress.add(self._draft)

    @property
    def _has_added(self) -> bool:
        return len(self._draft.text) > len(self._beginning)

    def _store_draft(self, retry_in_s: float = 0) -> None:
        """Store that the reply has no text yet."""
        self._handle.update(self._store.run(self._draft.store("", retry_in_s)))

    def _add(self, piece: str, has_more: bool) -> None:
        """Add a piece. It is published soon, or together with more that has already arrived.

        A reply that arrives whole is published together with its end.
        """
        now = time.monotonic()
        self._first_text_at = self._first_text_at or now
        if not self._draft.unstored():
            self._unstored_since = now
        self._draft.add(piece)
        if not has_more or now - self._unstored_since >= DELTA_INTERVAL_S:
            self._progress.add(self._draft)

    def _cancelled(self) -> Outcome | None:
        match self._handle.cancel_reason:
            case CancelReason.STOP:
                return self._outcome(finish_reason="stop_requested")
            case CancelReason.DEADLINE:
                return self._outcome(failure=self._deadline_failure())
            case _:
                return None

    def _stopped_before(self) -> Outcome:
        """Return what an earlier worker had written when the stop was requested."""
        self._draft.text, self._draft.pieces = self._taken.text, self._taken.pieces
        self._draft.stored_chars = len(self._taken.text)
        return self._outcome(finish_reason="stop_requested")

    def _failed(self, error: ModelError) -> Outcome:
        if not error.permanent and self._handle.remaining_s() <= 0:
            return self._outcome(failure=self._deadline_failure())
        return self._outcome(failure=_failure(error))

    def _deadline_failure(self) -> Failure:
        """Return why the deadline was missed: a model that is still loading, or just time."""
        if isinstance(self._last_error, ModelIsLoading) and not self._has_added:
            return _failure(self._last_error)
        return DEADLINE

    def _outcome(
        self,
        finish_reason: FinishReason | None = None,
        usage: Usage | None = None,
        failure: Failure | None = None,
    ) -> Outcome:
        draft = self._draft
        self._progress.end(draft)
        text = draft.unstored()
        return Outcome(
            reply=draft.reply,
            text=draft.text,
            pieces=draft.pieces,
            timings=self._timings(),
            unpublished=(draft.delta(text),) if text else (),
            finish_reason=finish_reason,
            usage=usage,
            failure=failure,
            continues=bool(self._beginning)
            and failure is None
            and (self._has_added or finish_reason != "stop_requested"),
        )

    def _timings(self) -> Timings:
        queued_s, first = self._taken.waited_s, self._first_text_at

        def since_accepted_ms(at: float) -> int:
            return round((queued_s + at - self._taken_at) * 1000)

        return Timings(
            queued_ms=round(queued_s * 1000),
            first_token_ms=since_accepted_ms(first) if first else None,
            total_ms=since_accepted_ms(time.monotonic()),
        )

    def _publish(self, frame: Frame) -> None:
        self._delivery.publish(self._taken.session, frame)


def _failure(error: ModelError) -> Failure:
    return Failure(code=ErrorCode(error.code), detail=error.detail, retryable=not error.permanent)


def _usage(generation: Generation) -> Usage | None:
    if generation.usage is None:
        return None
    return Usage(
        prompt_tokens=generation.usage.prompt_tokens,
        completion_tokens=generation.usage.completion_tokens,
    )
