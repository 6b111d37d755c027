"""RabbitMQ as the broker: no call waits long for a server that hangs or accepts no messages."""

from functools import partial
from typing import Any, NoReturn

from amqp.exceptions import IrrecoverableConnectionError
from kombu.exceptions import OperationalError

# For each read and write, also for the confirmation that a quorum of nodes has stored a task.
TIMEOUT_S = 2
DRIVER = "amqp"


class PublishingBlocked(OperationalError, IrrecoverableConnectionError):
    """RabbitMQ accepts no messages, because its memory or disk is almost full.

    It is an error of the connection, so that a worker connects again instead of ending, but none
    that kombu retries at once.
    """


def connection_options() -> dict[str, Any]:
    """Return the options of kombu's transport for RabbitMQ."""
    return {
        # Publishing returns once the task is stored, as with Redis, and not when it is sent.
        "confirm_publish": True,
        "on_open": limit_waiting,
    }


def limit_waiting(connection: Any) -> None:
    """Let reads and writes end after TIMEOUT_S, and fail at once if the server blocks publishers.

    py-amqp would wait for ever.
    """
    connection.sock.settimeout(TIMEOUT_S)
    connection.on_blocked = partial(_refuse_blocked, connection)


def _refuse_blocked(connection: Any, reason: str) -> NoReturn:
    # Not closed with a request: a server that blocks publishers does not read it. The library's
    # reason is a fixed text.
    connection.collect()
    raise PublishingBlocked("RabbitMQ accepts no messages: its memory or disk is almost full")
