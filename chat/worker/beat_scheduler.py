"""Beat's scheduler: publishes a task only if the previous one is no longer in its queue.

Every task of the schedule has a queue of its own, because while no worker runs, sweeps would
otherwise pile up, one per second. An expiry time could remove them, but compares the clocks of two
hosts: if a worker's is ahead, it discards every sweep.
"""

from typing import Any

from celery.beat import ScheduleEntry, Scheduler


class BeatScheduler(Scheduler):
    """Keeps the schedule in memory, because a task that runs too soon finds nothing to do."""

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,
        advance: bool = True,
        **options: Any,
    ) -> Any:
        """Publish the entry's task, unless its queue still has one."""
        channel: Any = self.connection.default_channel
        queue = (entry.options or {})["queue"]
        if channel.queue_declare(queue).message_count:
            return None
        return super().apply_async(entry, producer=producer, advance=advance, **options)
