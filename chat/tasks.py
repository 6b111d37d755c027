"""Celery tasks: one call each."""

from contextlib import suppress
from functools import cache
from typing import Any

from celery import shared_task
from django.conf import settings

from chat import metrics, service
from chat.deployment import replies, store, worker_name
from chat.errors import StoreUnavailable
from chat.queues import own_queue
from chat.slots import Slots

SWEEP_AT_MOST = 500


@cache
def slots() -> Slots:
    """Return this worker's places for replies."""
    return Slots(settings.WORKER_CONCURRENCY, enqueue)


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if nobody else is doing so; where there is a place."""
    if not slots().take(session):
        _hand_on(session)
        return
    try:
        another_waits = replies().answer_next(session)
    finally:
        slots().give_back()
    if another_waits:
        enqueue(session)


def enqueue(session: str, **options: Any) -> None:
    """Enqueue the session's next answer; the workers have declared the queues already."""
    answer.apply_async((session,), declare=[], **options)  # type: ignore[call-arg]  # as kombu's


def _hand_on(session: str) -> None:
    """Let another worker answer, if one has a place: this one is full and could only remember."""
    with suppress(StoreUnavailable):
        if other := store().run(service.place(worker_name())):
            enqueue(session, queue=own_queue(other))
            slots().forget(session)


@shared_task
def sweep() -> None:
    """Enqueue the sessions that wait for an answer and that no worker holds."""
    found = store().run(service.sweep(SWEEP_AT_MOST))
    metrics.sweep_done(len(found))
    for session in found:
        enqueue(session)


@shared_task
def prove(nonce: str) -> None:
    """Show that this worker does what it is sent."""
    store().run(service.prove(nonce))
