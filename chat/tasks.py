"""The Celery tasks: one call each."""

from contextlib import suppress

from celery import shared_task
from django.conf import settings

from chat.container import delivery, model_queue, models, responder, slots, store, worker_name
from chat.errors import StoreUnavailable
from chat.events.queues import worker_queue
from chat.events.task_publisher import enqueue_answer
from chat.observability import metrics
from chat.store import operators
from chat.store.operation import cluster, erasure

MAX_SESSIONS_PER_SWEEP = 500
# Also while workers report no free slot, in case that all of them are wrong.
LEAST_SESSIONS_PER_SWEEP = 5


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if a slot is free and no other worker does.

    The slot is then used for the sessions that wait, the longest waiting first.
    """
    if not slots().take(session):
        _forward(session)
        return
    try:
        next_session: str | None = session
        while next_session:
            if responder().answer_next(next_session):
                enqueue_answer(next_session)
            next_session = _next_waiting()
            if next_session:
                model_queue().wake(models().full_models())
    finally:
        slots().release()
        model_queue().wake(models().full_models())


def _claim_waiting() -> None:
    """Claim sessions whose tasks were not published, or found no slot and were forgotten."""
    # While a model is at its limit, many may wait for it. The sweep tries some of them.
    if not slots().is_stopped and responder().is_queue_long and not models().full_models():
        with suppress(StoreUnavailable):
            claimed = store().run(cluster.claim_waiting())
            slots().remember(claimed)


def _next_waiting() -> str | None:
    session = slots().next_waiting()
    if session is None:
        _claim_waiting()
        session = slots().next_waiting()
    return session


def _forward(session: str) -> None:
    """Send the session to another worker with a free slot; otherwise it waits for one here."""
    with suppress(StoreUnavailable):
        if worker := store().run(cluster.find_slot(worker_name())):
            enqueue_answer(session, queue=worker_queue(worker))
            slots().forget(session)


@shared_task
def sweep() -> None:
    """Enqueue the sessions with unanswered messages that no worker holds."""
    buckets = store().buckets
    # While a model is at its limit, the oldest may all wait for it.
    least = None if models().full_models() else max(LEAST_SESSIONS_PER_SWEEP // buckets, 1)
    swept = store().run(cluster.sweep(max(MAX_SESSIONS_PER_SWEEP // buckets, 1), least))
    metrics.sweeps.inc()
    metrics.sessions_requeued.inc(len(swept.sessions))
    for session in swept.sessions:
        enqueue_answer(session)
    if buckets > 1:
        store().run(cluster.record_queue(swept))
    _end_claims()


def _end_claims() -> None:
    """Give sessions back to the model whose operators' heartbeats have ended."""
    for session in store().run(operators.ended_claims()):
        left = store().run(operators.end_claim(session))
        if left.left:
            delivery().publish_change(session)
        if left.pending:
            enqueue_answer(session)


@shared_task
def erase_deleted_texts() -> None:
    """Let Redis rewrite its files if they contain texts that were deleted."""
    erasure.erase_deleted_texts(store(), interval_s=settings.AOF_REWRITE_INTERVAL_S)


@shared_task
def health_probe(nonce: str) -> None:
    """Show that this worker executes tasks."""
    store().run(cluster.record_health_probe(nonce))
