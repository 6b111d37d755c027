"""The queues of Celery's tasks, declared in the same way by all processes."""

from typing import Any

from celery import current_app
from kombu import Exchange, Queue

from chat.events import rabbitmq

# Only RabbitMQ looks at this. It keeps the tasks on several nodes if it has them.
ARGUMENTS = {"x-queue-type": "quorum"}
# When RabbitMQ deletes the queue of a worker that has ended; Redis has no empty lists.
WORKER_QUEUE_EXPIRES_S = 300
# No queue has this name: RabbitMQ confirms a message to it and keeps nothing.
NO_QUEUE = "no-queue"
CONNECT_TIMEOUT_S = 3


def shared_queue(name: str) -> Queue:
    """Return a queue that every worker consumes."""
    return Queue(name, queue_arguments=ARGUMENTS)


def worker_queue(worker: str) -> Queue:
    """Return the queue of one worker. Without an exchange, nothing of it outlives its tasks."""
    name = f"worker.{worker}"
    return Queue(
        name,
        Exchange(""),
        routing_key=name,
        expires=WORKER_QUEUE_EXPIRES_S,
        queue_arguments=ARGUMENTS,
    )


def count_tasks(channel: Any, name: str) -> int:
    """Return the number of tasks in a shared queue, which is created if it is missing."""
    declared: Any = shared_queue(name)(channel).queue_declare()
    return int(declared.message_count)


def queued_tasks() -> int:
    """Return the number of tasks in the queue; raises what the broker's transport raises.

    RabbitMQ counts tasks even while it accepts none, so it also has to accept a message.
    """
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=CONNECT_TIMEOUT_S)
        if connection.transport.driver_type == rabbitmq.DRIVER:
            connection.Producer().publish("", routing_key=NO_QUEUE)
        return count_tasks(connection.default_channel, current_app.conf.task_default_queue)
