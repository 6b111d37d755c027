"""Checks of the Redis servers: the session store, the broker and the channel layer."""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.cli.doctor.replicas import check_replicas, check_sentinels
from chat.cli.doctor.tls import check_tls
from chat.store.client import AWAY
from chat.store.connections import (
    SentinelPool,
    SentinelUrl,
    Tls,
    blocking_pool,
    is_sentinel_url,
)
from chat.store.operation.memory import Memory
from chat.store.redis_cluster.nodes import is_cluster_url, node_urls
from chat.store.redis_cluster.stores import open_store

TIMEOUT_S = 3
SLOW_S = 0.005
PINGS = 10
ALMOST_FULL = 0.9
AUTHORITY = "Set REDIS_CA_FILE to the certificate of the authority."
Info = Mapping[str, Any]


def check_servers() -> Iterator[Finding]:
    """Check each server once, even if several variables name it."""
    variables_of: dict[str, list[str]] = {}
    for variable in ("REDIS_URL", "CELERY_BROKER_URL", "CHANNEL_REDIS_URL"):
        for url in getattr(settings, variable).split():
            if not url.startswith("amqp"):
                variables_of.setdefault(url, []).append(variable)
    for url, variables in variables_of.items():
        if is_cluster_url(url):
            yield from check_cluster(url)
        else:
            yield from check_server(url, variables)


def check_cluster(url: str) -> Iterator[Finding]:
    """Check each primary of a Redis Cluster like a server of its own."""
    first = urlsplit(node_urls(url)[0])
    credentials = first.netloc.rpartition("@")[0]
    try:
        servers = open_store(url, 1, settings.REDIS_TLS.get(url, {})).servers()
    except AWAY as error:
        yield check_tls("REDIS_URL", error, AUTHORITY) or failure(
            f"REDIS_URL: no node of the Redis Cluster responds ({type(error).__name__})",
            "Start its nodes, or correct the addresses.",
        )
        return
    for server in servers:
        address = server.connection_pool.connection_kwargs
        netloc = f"{credentials}{'@' if credentials else ''}{address['host']}:{address['port']}"
        node = first._replace(netloc=netloc).geturl()
        yield from check_server(node, ["REDIS_URL"], cluster=url)


def check_server(url: str, variables: list[str], cluster: str = "") -> Iterator[Finding]:
    """Check one server; the session store must also be durable and have the JSON module.

    `cluster` is the URL of the Redis Cluster of which it is a node, if it is one.
    """
    name = " and ".join(variables)
    try:
        with connect(url, settings.REDIS_TLS.get(cluster or url, {})) as client:
            latency_s = min(_round_trip_s(client) for _ in range(PINGS))
            host = _host_of(client, url)
            info = _info(client)
            rules = _own_rules(client)
    except AuthenticationError:
        yield failure(
            f"{name}: the server rejects the password", f"Correct the password in {name}."
        )
        return
    except (RedisError, OSError, ValueError) as error:
        yield check_tls(name, error, AUTHORITY) or failure(
            f"{name}: {_host(url)} does not respond ({type(error).__name__})",
            "Start the server, or correct the address.",
        )
        yield from check_sentinels(name, url)
        return
    yield ok(f"{name}: {_version(info)} at {host} responds in {latency_s * 1000:.1f} ms")
    yield from check_sentinels(name, url)
    yield from check_connection(name, url, info, latency_s, is_node=bool(cluster))
    if not settings.EMBEDDED_REDIS:
        yield from check_rules(name, rules)
    if not info and "REDIS_URL" in variables:
        yield warning(
            f"{name}: its user may not run INFO, so the server's configuration is not checked",
            "Run doctor as the user of the web processes: docs/how-to/restrict-redis-users.md.",
        )
    if not info:
        return
    if "REDIS_URL" in variables:
        yield from check_modules(info)
        yield from check_persistence(info)
        yield from check_replicas(url, info)
    yield from check_capacity(info)


def connect(url: str, tls: Tls) -> redis.Redis:
    """Return a client of the server, or of the primary that Sentinels name, without retries."""
    pool = blocking_pool(
        url,
        protocol=2,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        timeout=TIMEOUT_S,
        retry=None,
        **tls,
    )
    return redis.Redis.from_pool(pool)


def _info(client: redis.Redis) -> Info:
    """Return the server's INFO; empty if this user may not see it."""
    try:
        found: Any = client.info("everything")
    except NoPermissionError:
        return {}
    return dict(found)


def _own_rules(client: redis.Redis) -> str | None:
    """Return the command rules of the connection's user; None if it may not see them.

    Only a user that may change users may see its own rules.
    """
    try:
        user: Any = client.execute_command("ACL", "GETUSER", client.acl_whoami())
    except ResponseError:
        return None
    fields = user if isinstance(user, dict) else dict(zip(user[::2], user[1::2], strict=True))
    return str(fields.get("commands") or fields.get(b"commands") or "")


def _round_trip_s(client: redis.Redis) -> float:
    started_at = time.perf_counter()
    client.ping()
    return time.perf_counter() - started_at


def _version(info: Info) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}" if info else "Redis"


def check_connection(
    name: str, url: str, info: Info, latency_s: float, *, is_node: bool = False
) -> Iterator[Finding]:
    if latency_s > SLOW_S:
        yield warning(
            f"{name}: a round trip takes {latency_s * 1000:.0f} ms",
            "Run Redis close to the web and worker processes.",
        )
    if info.get("role", "master") != "master":
        yield failure(
            f"{name}: the server is a read-only replica", f"Set {name} to the primary's address."
        )
    if info.get("cluster_enabled") and not is_node:
        yield failure(
            f"{name}: the server is a node of a Redis Cluster",
            "Use a server without cluster mode. Only sessions can be on a cluster:"
            " docs/how-to/use-redis-cluster.md.",
        )
    if is_sentinel_url(url):
        sentinels = SentinelUrl.parse(url)
        password, hosts = sentinels.password, {host for host, _ in sentinels.hosts}
    else:
        parts = urlsplit(url)
        password, hosts = parts.password or "", {parts.hostname or "localhost"}
    if not password and hosts - {"127.0.0.1", "localhost", "::1"}:
        yield warning(f"{name}: no password is set", "Set requirepass and add it to the address.")


def check_rules(name: str, rules: str | None) -> Iterator[Finding]:
    """Check that the user may not run commands that the chat does not need."""
    if rules is None:
        yield ok(f"{name}: its user may run only some commands")
        return
    everything = "every command" if "+@all" in rules else "commands that change users"
    yield warning(
        f"{name}: its user may run {everything}, so whoever has its password controls the server",
        "Use a restricted user: docs/how-to/restrict-redis-users.md.",
    )


def check_modules(info: Info) -> Iterator[Finding]:
    modules = {str(module["name"]).lower() for module in info.get("modules") or []}
    if modules & {"rejson", "json"}:
        yield ok("The JSON module is loaded")
    else:
        yield failure("The JSON module is missing", "Run Redis 8 or newer, or Redis Stack.")
    if not modules & {"search", "searchlight", "valkeysearch"}:
        yield warning(
            "The search module is missing, so searching sessions in the admin is slow",
            "Run Redis 8 or newer, or Redis Stack.",
        )


def check_persistence(info: Info) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        yield failure(
            "Redis loses all writes since its last snapshot when it restarts",
            "Set: appendonly yes, appendfsync everysec.",
        )
    elif info.get("aof_last_write_status") != "ok":
        yield failure("Redis cannot write its append-only file", "Check whether its disk is full.")
    else:
        yield ok("Redis keeps an append-only file")


def check_capacity(info: Info) -> Iterator[Finding]:
    if (policy := info.get("maxmemory_policy")) == "noeviction":
        yield ok("Redis never evicts keys; it rejects writes when its memory is full")
    else:
        yield failure(
            f"Redis evicts keys when its memory is full (maxmemory-policy {policy})",
            "Set: maxmemory-policy noeviction. Sessions expire on their own.",
        )
    yield from _check_memory(int(info["used_memory"]), int(info.get("maxmemory", 0)))
    clients, most = int(info["connected_clients"]), int(info.get("maxclients", 10_000))
    if clients > ALMOST_FULL * most:
        yield warning(f"Redis has {clients} of at most {most} clients", "Raise maxclients.")


def _check_memory(used: int, limit: int) -> Iterator[Finding]:
    if not limit:
        yield warning(
            "Redis has no memory limit, so visitors can use all memory of its host",
            "Set maxmemory: see docs/how-to/deploy.md.",
        )
        return
    memory = Memory(used, limit)
    if memory.refuses_sessions:
        yield warning(
            f"Redis uses {memory}, so no new session is created",
            "Raise maxmemory, or lower SESSION_TTL_S or TOKENS_PER_MINUTE_PER_IP.",
        )
    else:
        yield ok(f"Redis uses {memory} of memory")


def _host(url: str) -> str:
    """Return the server's address without the password."""
    if is_sentinel_url(url):
        return f"the primary of {SentinelUrl.parse(url).service}"
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def _host_of(client: redis.Redis, url: str) -> str:
    """Return the address of a client that is connected."""
    pool = client.connection_pool
    if not isinstance(pool, SentinelPool):
        return _host(url)
    host, port = pool.master_address
    return f"{host}:{port}, {_host(url)},"
