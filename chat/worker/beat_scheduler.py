"""Beat's scheduler: publishes a task only if the previous one is no longer in its queue.

Every task of the schedule has a queue of its own, because while no worker runs, sweeps would
otherwise pile up, one per second. An expiry time could remove them, but compares the clocks of two
hosts: if a worker's is ahead, it discards every sweep.

While the broker fails, nothing is published for growing pauses. Celery's own scheduler tries each
task when it is due, and logs two tracebacks each time.
"""

import logging
import time
from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from chat.events.queues import count_tasks
from chat.observability.outage import Outage

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
# Short, because the sweep must soon find what was stored meanwhile; attempts are not logged.
LONGEST_PAUSE_S = 10.0


class BeatScheduler(Scheduler):
    """Keeps the schedule in memory, because a task that runs too soon finds nothing to do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._outage = Outage(logger, "The broker does not accept tasks", "The broker works again")
        self._pause_s, self._retry_at = FIRST_PAUSE_S, 0.0
        super().__init__(*arguments, **options)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Publish the entry's task unless the broker has failed a moment ago."""
        if time.monotonic() < self._retry_at:
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001 transports raise what their servers raise
            self._outage.failed(error)
            # What RabbitMQ sends later must not be taken for the response to another request.
            self.connection.collect()
            self._retry_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        else:
            self._outage.succeeded()
            self._pause_s = FIRST_PAUSE_S

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,
        advance: bool = True,
        **options: Any,
    ) -> Any:
        """Publish the entry's task, unless its queue still has one."""
        if count_tasks(self.connection.default_channel, (entry.options or {})["queue"]):
            return None
        return super().apply_async(entry, producer=producer, advance=advance, **options)
