"""Celery tasks: one call each."""

from celery import shared_task

from chat import metrics, service
from chat.deployment import replies, store

SWEEP_AT_MOST = 500


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if nobody else is doing so."""
    if replies().answer_next(session):
        answer.delay(session)


@shared_task
def sweep() -> None:
    """Enqueue the sessions that wait for an answer and that no worker holds."""
    found = store().run(service.sweep(SWEEP_AT_MOST))
    metrics.sweep_done(len(found))
    for session in found:
        answer.delay(session)


@shared_task
def prove(nonce: str) -> None:
    """Show that this worker does what it is sent."""
    store().run(service.prove(nonce))
