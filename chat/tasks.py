"""Celery tasks: one call each."""

from contextlib import suppress

from celery import shared_task

from chat.container import responder, slots, store, worker_name
from chat.errors import StoreUnavailable
from chat.events.task_publisher import enqueue_answer
from chat.observability import metrics
from chat.store import cluster
from chat.worker.queues import own_queue

SWEEP_AT_MOST = 500


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if nobody else is doing so; where there is a place."""
    if not slots().take(session):
        _hand_on(session)
        return
    try:
        another_waits = responder().answer_next(session)
    finally:
        slots().give_back()
    if another_waits:
        enqueue_answer(session)


def _hand_on(session: str) -> None:
    """Let another worker answer, if one has a place: this one is full and could only remember."""
    with suppress(StoreUnavailable):
        if other := store().run(cluster.find_slot(worker_name())):
            enqueue_answer(session, queue=own_queue(other))
            slots().forget(session)


@shared_task
def sweep() -> None:
    """Enqueue the sessions that wait for an answer and that no worker holds."""
    found = store().run(cluster.sweep(SWEEP_AT_MOST))
    metrics.sweeps.inc()
    metrics.sessions_requeued.inc(len(found))
    for session in found:
        enqueue_answer(session)


@shared_task
def prove(nonce: str) -> None:
    """Show that this worker does what it is sent."""
    store().run(cluster.record_health_probe(nonce))
