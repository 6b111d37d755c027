"""Beat's scheduler: publishes a sweep only if the previous one is no longer in the queue.

While no worker runs, sweeps would otherwise pile up, one per second. An expiry time could remove
them, but compares the clocks of two hosts: if a worker's is ahead, it discards every sweep.
"""

from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from django.conf import settings


class SweepScheduler(Scheduler):
    """Keeps the schedule in memory, because the sweep is its only task."""

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,
        advance: bool = True,
        **options: Any,
    ) -> Any:
        """Publish the sweep, unless one is still in the queue."""
        channel: Any = self.connection.default_channel
        if channel.queue_declare(settings.SWEEP_QUEUE).message_count:
            return None
        return super().apply_async(entry, producer=producer, advance=advance, **options)
