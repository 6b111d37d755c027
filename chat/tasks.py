"""Celery tasks: one call each."""

from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from chat import sessions
from chat.deployment import replies, store, worker_name

SWEEP_AT_MOST = 500


@shared_task
def answer(session: str) -> None:
    """Answer the session's next message, if nobody else is doing so."""
    if replies().answer_next(session):
        answer.delay(session)


@shared_task
def sweep() -> None:
    """Enqueue the sessions that wait for an answer and that no worker holds."""
    for session in store().run(sessions.sweep(worker_name(), SWEEP_AT_MOST)):
        answer.delay(session)


@worker_shutting_down.connect
def hand_over(**_: Any) -> None:
    """Give unfinished replies back when this worker is told to go."""
    replies().hand_over()
