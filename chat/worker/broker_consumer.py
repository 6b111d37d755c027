"""Celery's consumer, with growing pauses after errors of the broker.

Celery connects again at once if the broker fails after it was connected, for example because it
refuses a command: several times per second, with about ten lines of log each.
"""

import logging
import time
from typing import Any

from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from chat.observability.outage import Outage

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
POLL_S = 0.25
# The outage is over if tasks have been consumed for this time.
STABLE_S = 5.0


class BrokerConsumer(Consumer):
    """Logs once that the broker fails, and once that tasks are consumed again."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[valid-type, misc]
        """The steps of Celery's worker, without 28 queues of RabbitMQ for tasks to be run later."""

        default_steps = tuple(
            step
            for step in Consumer.Blueprint.default_steps
            if not step.endswith(":DelayedDelivery")
        )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._outage = Outage(logger, "The broker fails", "The broker works again")
        self._pause_s = FIRST_PAUSE_S
        super().__init__(*arguments, **options)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection, and wait before Celery connects again."""
        self._outage.failed(exc)
        super().on_connection_error_after_connected(exc)
        until = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(POLL_S)

    def loop_args(self) -> Any:
        """Note that tasks are consumed from here on."""
        if self._outage.is_on:
            # Celery cancels it if the connection fails before.
            self.timer.call_after(STABLE_S, self._end_outage)
        return super().loop_args()

    def _end_outage(self) -> None:
        self._outage.succeeded()
        self._pause_s = FIRST_PAUSE_S
