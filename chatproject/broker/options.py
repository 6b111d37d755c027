"""The options with which Celery connects to the broker."""

import ssl
from collections.abc import Mapping
from typing import Any

from chat.events import rabbitmq
from chatproject.broker.address import is_rabbitmq
from chatproject.redis_urls import broker_options


def broker_tls(url: str, redis_tls: Mapping[str, str | bool]) -> dict[str, Any]:
    """Return kombu's options that verify the server's certificate and name; {} without TLS.

    `redis_tls` are redis-py's options, with the same files.
    """
    if not url.startswith("amqps://"):
        return dict(redis_tls)
    files = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,  # that of the address
        **{option: redis_tls[name] for name, option in files.items() if name in redis_tls},
    }


def transport_options(
    url: str, tls: Mapping[str, str | bool], *, connections: int
) -> dict[str, Any]:
    """Return kombu's options, with which no call waits long for the broker."""
    if is_rabbitmq(url):
        return rabbitmq.connection_options()
    return {
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
        # A worker that waits for tasks notices a server that hangs after two intervals and 1 s.
        "health_check_interval": 3,
        "max_connections": connections,
        "priority_steps": [0],
        # Keep no copy of a task until it is done: the sweep finds lost tasks.
        "ack_emulation": False,
        **broker_options(url, tls),
    }
