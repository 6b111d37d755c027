"""Publish tasks to the broker, also from the event loop without blocking it.

Publishing is a blocking call and may hang if the broker does. It runs in a few threads of its own.
If all of them hang, further tasks are refused instead of queued: the sweep finds their sessions.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from celery import current_app

from chat.errors import QueueUnavailable
from chat.observability import metrics
from chat.observability.outage import Outage

logger = logging.getLogger(__name__)

outage = Outage(logger, "The broker does not accept tasks", "The broker accepts tasks again")
THREADS = 4
MAX_UNFINISHED = 200
TIMEOUT_S = 5
ANSWER_TASK = "chat.tasks.answer"


def enqueue_answer(session: str, **options: Any) -> None:
    """Publish the task that answers a session's next message.

    It declares no queue, which would be one more round trip: the workers have declared theirs.
    """
    current_app.send_task(ANSWER_TASK, (session,), ignore_result=True, declare=[], **options)


class TaskPublisher:
    """Publishes tasks from the event loop, in the background."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="publish")
        self._unfinished = 0

    def enqueue_answer(self, session: str) -> Coroutine[Any, Any, None]:
        """Start to publish the task for a session; await the result to know that it is published.

        The result raises QueueUnavailable within TIMEOUT_S.
        """
        if self._unfinished >= MAX_UNFINISHED:
            return self._refuse()
        self._unfinished += 1
        publishing = asyncio.get_running_loop().run_in_executor(
            self._threads, copy_context().run, enqueue_answer, session
        )
        publishing.add_done_callback(partial(self._done, time.perf_counter()))
        return self._wait(publishing)

    async def _refuse(self) -> None:
        metrics.task_publish_failures.inc()
        raise QueueUnavailable

    async def _wait(self, publishing: "asyncio.Future[Any]") -> None:
        try:
            await asyncio.wait_for(asyncio.shield(publishing), TIMEOUT_S)
        except Exception as error:
            metrics.task_publish_failures.inc()
            outage.failed(error)
            raise QueueUnavailable from error

    def _done(self, started_at: float, publishing: "asyncio.Future[Any]") -> None:
        # Here and not in `_wait`, which is cancelled if the socket closes meanwhile.
        self._unfinished -= 1
        if not publishing.cancelled() and not publishing.exception():
            outage.succeeded()
            metrics.task_publish_seconds.observe(time.perf_counter() - started_at)
