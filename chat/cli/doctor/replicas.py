"""Checks of Sentinels, and of the replicas of the session store."""

from collections.abc import Iterator, Mapping
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from chat.cli.doctor.findings import Finding, count, failure, ok, warning
from chat.store.connections import SentinelUrl, is_sentinel_url

ENOUGH_SENTINELS = 3


def check_sentinels(name: str, url: str) -> Iterator[Finding]:
    """Check that each Sentinel of a URL responds and knows the service; nothing without any."""
    if not is_sentinel_url(url):
        return
    sentinels = SentinelUrl.parse(url)
    problems = [
        f"{host}:{port} {problem}"
        for host, port in sentinels.hosts
        if (problem := _problem_of(sentinels, url, host, port))
    ]
    if problems:
        yield failure(
            f"{name}: Sentinel {'; Sentinel '.join(problems)}",
            "Start it, or correct its address, its password or the name of the service.",
        )
    if len(sentinels.hosts) < ENOUGH_SENTINELS:
        yield warning(
            f"{name}: the address names {count(len(sentinels.hosts), 'Sentinel')}",
            "Run three on hosts that do not fail together, and name them all.",
        )
    elif not problems:
        yield ok(f"{name}: {count(len(sentinels.hosts), 'Sentinel')} respond")


def _problem_of(sentinels: SentinelUrl, url: str, host: str, port: int) -> str:
    tls = settings.REDIS_TLS.get(url, {})
    try:
        options = sentinels.sentinel_kwargs(tls, Retry(NoBackoff(), 0))
        with redis.Redis(host, port, **options) as client:
            known: Any = client.sentinel_masters()
    except AuthenticationError:
        return "rejects the password"
    except (RedisError, OSError) as error:
        return f"does not respond ({type(error).__name__})"
    return "" if sentinels.service in known else f"does not know {sentinels.service}"


def check_replicas(url: str, info: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that replicas have what is acknowledged, if another server may take over."""
    replicas, demanded = int(info.get("connected_slaves", 0)), settings.STORE_MIN_REPLICAS
    if replicas < demanded:
        yield failure(
            f"STORE_MIN_REPLICAS is {demanded}, but Redis has {count(replicas, 'replica')}",
            "Start replicas, or lower STORE_MIN_REPLICAS: until then, no message is accepted.",
        )
    elif demanded:
        yield ok(f"Redis has {count(replicas, 'replica')}; STORE_MIN_REPLICAS is {demanded}")
    if not is_sentinel_url(url):
        return
    if not demanded:
        yield warning(
            "A failover loses messages that were accepted a moment before",
            "Set STORE_MIN_REPLICAS=1.",
        )
    if "min_slaves_good_slaves" not in info:
        yield warning(
            "A primary that is cut off from its replicas continues to accept writes",
            "Set: min-replicas-to-write 1, min-replicas-max-lag 10.",
        )
