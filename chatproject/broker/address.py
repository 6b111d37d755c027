"""The broker's address, checked: Redis or RabbitMQ."""

from urllib.parse import urlsplit

from chatproject.redis_urls import check_redis_url

VARIABLE = "CELERY_BROKER_URL"
REDIS = ("redis", "rediss", "redis+socket")  # Celery's scheme for Unix sockets
RABBITMQ = ("amqp", "amqps")


def is_rabbitmq(url: str) -> bool:
    """Return whether a broker's address is one of RabbitMQ."""
    return url.partition("://")[0] in RABBITMQ


def check_broker_url(url: str) -> None:
    """Raise ValueError for an invalid address. Those of RabbitMQ's nodes are separated by `;`."""
    if not is_rabbitmq(url):
        check_redis_url(VARIABLE, url, (*REDIS, *RABBITMQ))
        return
    scheme = url.partition("://")[0]
    for node in url.split(";"):
        if node.partition("://")[0] != scheme:
            raise ValueError(f'Environment variable "{VARIABLE}" must have {scheme}:// everywhere')
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
