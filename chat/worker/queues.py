"""The queues in the broker: one that all workers share, and one for each worker alone."""

from kombu import Exchange, Queue


def own_queue(worker: str) -> Queue:
    """Return the queue of one worker; it has no exchange, so nothing of it outlives its tasks."""
    return Queue(f"worker.{worker}", Exchange(""), routing_key=f"worker.{worker}")
