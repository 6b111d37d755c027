"""Hand sessions to the workers from the event loop, without ever holding it up.

Publishing is a blocking call that may hang on a sick broker. It runs in a few threads of its own;
when they are all stuck, nothing more is piled up behind them: the sweep finds the session.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from celery import current_app

from chat.errors import QueueUnavailable
from chat.observability import metrics

logger = logging.getLogger(__name__)

THREADS = 4
MAX_WAITING = 200
TIMEOUT_S = 5
ANSWER_TASK = "chat.tasks.answer"


def enqueue_answer(session: str, **options: Any) -> None:
    """Publish the task that answers the session's next message.

    No queue is declared for it: the workers have declared theirs already.
    """
    current_app.send_task(ANSWER_TASK, (session,), ignore_result=True, declare=[], **options)


class TaskPublisher:
    """Publishes answer tasks in the background."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="publish")
        self._waiting = 0

    def enqueue_answer(self, session: str) -> Coroutine[Any, Any, None]:
        """Begin to enqueue the session's next answer; await what it returns.

        That raises QueueUnavailable within TIMEOUT_S.
        """
        if self._waiting >= MAX_WAITING:
            return self._refused()
        self._waiting += 1
        publishing = asyncio.get_running_loop().run_in_executor(
            self._threads, copy_context().run, enqueue_answer, session
        )
        publishing.add_done_callback(self._done)
        return self._published(publishing)

    async def _refused(self) -> None:
        metrics.task_refused()
        raise QueueUnavailable

    async def _published(self, publishing: "asyncio.Future[Any]") -> None:
        started_at = time.perf_counter()
        try:
            await asyncio.wait_for(asyncio.shield(publishing), TIMEOUT_S)
            metrics.task_published(time.perf_counter() - started_at)
        except Exception as error:
            metrics.task_refused()
            logger.warning("The broker took no task: %s", type(error).__name__)
            raise QueueUnavailable from error

    def _done(self, publishing: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not publishing.cancelled():
            publishing.exception()
