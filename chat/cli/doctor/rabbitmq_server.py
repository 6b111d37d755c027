"""Checks of RabbitMQ, where it is the broker."""

import time
from collections.abc import Iterator
from typing import Any

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.cli.doctor.tls import check_tls
from chat.events import rabbitmq
from chat.events.queues import NO_QUEUE

NAME = "CELERY_BROKER_URL"
PUBLISHED = 10
SLOW_S = 0.05
WITH_QUORUM_QUEUES = (3, 8)
AUTHORITY = "Set REDIS_CA_FILE to the certificate of the authority."


def check_server() -> Iterator[Finding]:
    """Check that the server accepts messages from this user, and has quorum queues."""
    if current_app.connection_for_write().transport.driver_type != rabbitmq.DRIVER:
        return
    connection: Any = current_app.connection_for_write()
    server = f"{connection.hostname}:{connection.port or connection.transport.default_port}"
    try:
        with connection:
            properties = connection.connection.server_properties
            latency_s = _publish(connection)
    except AccessRefused:
        yield failure(f"{NAME}: the server rejects the user", f"Correct the password in {NAME}.")
    except NotAllowed:
        yield failure(
            f"{NAME}: the user may not use this virtual host",
            f"Grant permissions with rabbitmqctl set_permissions, or correct {NAME}.",
        )
    except rabbitmq.PublishingBlocked as error:
        yield failure(
            f"{NAME}: {error}", "Free memory or disk of the server: rabbitmqctl status shows which."
        )
    except (AMQPError, OperationalError, OSError) as error:
        yield check_tls(NAME, error, AUTHORITY) or failure(
            f"{NAME}: {server} does not respond ({type(error).__name__})",
            "Start the server, or correct the address.",
        )
    else:
        yield from check_properties(server, properties, latency_s)


def _publish(connection: Any) -> float:
    """Return the shortest time until the server confirmed a message, which it does not keep."""
    producer, latencies_s = connection.Producer(), []
    for _ in range(PUBLISHED):
        started_at = time.perf_counter()
        producer.publish("", routing_key=NO_QUEUE)
        latencies_s.append(time.perf_counter() - started_at)
    return min(latencies_s)


def check_properties(server: str, properties: Any, latency_s: float) -> Iterator[Finding]:
    product, version = properties.get("product", "AMQP"), str(properties.get("version", ""))
    name = f"{product} {version}".strip()
    yield ok(f"{NAME}: {name} at {server} responds in {latency_s * 1000:.1f} ms")
    if latency_s > SLOW_S:
        yield warning(
            f"{NAME}: a message is confirmed after {latency_s * 1000:.0f} ms",
            "Run the server close to the web and worker processes.",
        )
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if product == "RabbitMQ" and numbers < WITH_QUORUM_QUEUES:
        yield failure(f"{NAME}: {name} has no quorum queues", "Run RabbitMQ 3.8 or newer.")
    if not settings.CELERY_BROKER_USE_SSL and not server.startswith(("127.", "localhost:")):
        yield warning(
            f"{NAME}: the connection is not encrypted", "Use amqps:// outside a private network."
        )
