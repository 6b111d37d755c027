"""Celery tasks: one call each."""

from functools import cache

from celery import shared_task
from django.conf import settings

from chat import metrics, service
from chat.deployment import replies, store
from chat.slots import Slots

SWEEP_AT_MOST = 500


@cache
def slots() -> Slots:
    """Return this worker's places for replies."""
    return Slots(settings.WORKER_CONCURRENCY, answer.delay)


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if nobody else is doing so and there is a place."""
    if not slots().take(session):
        return
    try:
        another_waits = replies().answer_next(session)
    finally:
        slots().give_back()
    if another_waits:
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
