"""The broker's address, checked: Redis or RabbitMQ."""

from urllib.parse import urlsplit

from chat.store.connections import SENTINEL_SCHEMES
from chatproject.redis_urls import check_redis_url

VARIABLE = "CELERY_BROKER_URL"
REDIS = ("redis", "rediss", "redis+socket", *SENTINEL_SCHEMES)  # Celery's for Unix sockets
RABBITMQ = ("amqp", "amqps")


def is_rabbitmq(url: str) -> bool:
    """Return whether a broker's address is one of RabbitMQ."""
    return url.partition("://")[0] in RABBITMQ


def check_broker_url(url: str) -> None:
    """Raise ValueError for an invalid address. Those of RabbitMQ's nodes are separated by `;`.

    With TLS, there is only one: kombu compares the certificates of all nodes with the name of the
    first to which it has connected.
    """
    if not is_rabbitmq(url):
        check_redis_url(VARIABLE, url, (*REDIS, *RABBITMQ))
        return
    nodes = url.split(";")
    if len(nodes) > 1 and not all(node.startswith("amqp://") for node in nodes):
        raise ValueError(
            f'Environment variable "{VARIABLE}" may have several addresses with amqp:// only:'
            " with amqps://, use a host name for all nodes"
        )
    for node in nodes:
        try:
            parts = urlsplit(node)
            is_valid = bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid or parts.query or parts.fragment or "/" in parts.path[1:]:
            raise ValueError(
                f'Environment variable "{VARIABLE}" is not a valid address:'
                " percent-encode the password and the virtual host"
            )
