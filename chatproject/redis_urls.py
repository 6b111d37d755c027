"""Redis addresses, completed and checked, and the options that libraries need besides them."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, urlsplit

from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from chat.store.connections import SENTINEL_SCHEMES, SentinelUrl, Tls, is_sentinel_url
from chat.store.redis_cluster.nodes import CLUSTER_SCHEMES, is_cluster_url, node_urls

SENTINEL_POOL = "chat.store.connections.SentinelPool"


def complete_redis_url(url: str, *, host: str, port: int, user: str, password: str) -> str:
    """Return a complete `redis://` URL, or "" if neither `url` nor `host` is given.

    `url` may be complete, or `host:port`, to which user and password are added. Empty values are
    not given. Raises ValueError for an invalid URL.
    """
    address = url or (f"{host}:{port}" if host else "")
    if address and "://" not in address:
        if not address.rpartition(":")[2].partition("/")[0].isdigit():
            raise ValueError('Environment variable "REDIS_URL" must be a redis:// URL or host:port')
        address = f"redis://{_credentials(user, password)}{address}"
    if address:
        schemes = ("redis", "rediss", "unix", *SENTINEL_SCHEMES, *CLUSTER_SCHEMES)
        check_redis_url("REDIS_URL", address, schemes)
    return address


def other_server(variable: str, url: str, redis_url: str) -> str:
    """Return the URL of a role other than the session store's, by default that of REDIS_URL.

    Raises ValueError without one if REDIS_URL is a cluster, which only the session store can use.
    """
    if not url and is_cluster_url(redis_url):
        raise ValueError(
            f'Environment variable "{variable}" must be set, because REDIS_URL is a Redis Cluster,'
            " which only sessions can use"
        )
    return url or redis_url


def check_redis_url(variable: str, url: str, schemes: Collection[str]) -> None:
    """Raise ValueError if the scheme is not one of `schemes`, or host, port or database is invalid.

    The libraries would raise a later error that contains a part of the password, or ignore the
    database's name and use number 0.
    """
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        allowed = " or ".join(f"{each}://" for each in schemes)
        raise ValueError(f'Environment variable "{variable}" must be {allowed}')
    if scheme in {"unix", "redis+socket"}:
        return
    if is_cluster_url(url):
        for node in node_urls(url):
            check_redis_url(variable, node, ("redis", "rediss"))
            if urlsplit(node).path not in {"", "/0"}:
                raise ValueError(
                    f'Environment variable "{variable}" must have no database number, because a'
                    " Redis Cluster has only one database"
                )
        return
    if is_sentinel_url(url):
        try:
            SentinelUrl.parse(url)
        except ValueError as error:
            raise ValueError(f'Environment variable "{variable}" {error}') from None
        return
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(
            f'Environment variable "{variable}" is not a valid address: percent-encode the password'
        )
    if not re.fullmatch(r"/?\d*", parts.path):
        raise ValueError(f'Environment variable "{variable}" must end with a database number')


def tls_options(
    url: str, *, ca_file: str, certificate_file: str, key_file: str
) -> dict[str, str | bool]:
    """Return redis-py's options that verify the server's certificate and name; {} without TLS.

    `ca_file` is empty for the system's certificate authorities. The certificate and its key are
    this client's own, and empty if the server requires none.
    """
    if url.partition("://")[0] not in {"rediss", "rediss+sentinel", "rediss+cluster", "amqps"}:
        return {}
    files = {
        "ssl_ca_certs": ca_file,
        "ssl_certfile": certificate_file,
        "ssl_keyfile": key_file,
    }
    required: dict[str, str | bool] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return required | {name: file for name, file in files.items() if file}


def broker_url(url: str) -> str:
    """Return the broker's address in the form that kombu knows."""
    return SentinelUrl.parse(url).kombu_url() if is_sentinel_url(url) else url


def broker_options(url: str, tls: Tls) -> dict[str, Any]:
    """Return the options with which kombu finds the primary; {} without Sentinels.

    kombu applies the options of the servers, such as time limits, only to connections to them.
    """
    if not is_sentinel_url(url):
        return {}
    sentinels = SentinelUrl.parse(url)
    return {
        "master_name": sentinels.service,
        "sentinel_kwargs": sentinels.sentinel_kwargs(tls, Retry(NoBackoff(), 0)),
    }


def layer_host(url: str, tls: Tls) -> dict[str, Any]:
    """Return how channels_redis finds the server, or the Sentinels that name it."""
    if not is_sentinel_url(url):
        return {"address": url, **tls}
    sentinels = SentinelUrl.parse(url)
    return {
        "sentinels": sentinels.hosts,
        "master_name": sentinels.service,
        "sentinel_kwargs": sentinels.sentinel_kwargs(tls, AsyncRetry(NoBackoff(), 0)),
        **sentinels.server_options(),
        **tls,
    }


def cache_options(url: str) -> dict[str, Any]:
    """Return the options with which Django's cache finds the primary; {} without Sentinels."""
    return {"pool_class": SENTINEL_POOL, "timeout": 2} if is_sentinel_url(url) else {}


def _credentials(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
