"""Checks of the Redis servers behind the site: the store, the broker and the channel layer."""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from redis.exceptions import AuthenticationError, RedisError

from chat.cli.doctor.findings import Finding, failure, ok, warning

TIMEOUT_S = 3
SLOW_S = 0.005
PINGS = 10
ALMOST_FULL = 0.9
LEAST_MAJOR = 8


def check_servers() -> Iterator[Finding]:
    """Check each server once, under the names of all variables that lead to it."""
    roles: dict[str, list[str]] = {}
    for variable in ("REDIS_URL", "CELERY_BROKER_URL", "CHANNEL_REDIS_URL"):
        roles.setdefault(getattr(settings, variable), []).append(variable)
    for url, variables in roles.items():
        yield from check_server(url, variables)


def check_server(url: str, variables: list[str]) -> Iterator[Finding]:
    """Check one server; the sessions' one must also keep what it is told."""
    name = " and ".join(variables)
    try:
        info, latency_s = _ask(url)
    except AuthenticationError:
        yield failure(f"{name}: the server refuses the password", f"Correct it in {name}.")
        return
    except (RedisError, OSError, ValueError) as error:
        yield failure(
            f"{name}: no answer from {_place(url)} ({type(error).__name__})",
            "Start the server, or correct the address.",
        )
        return
    yield ok(f"{name}: {_version(info)} at {_place(url)} answers in {latency_s * 1000:.1f} ms")
    yield from _check_place(name, url, info, latency_s)
    if "REDIS_URL" in variables:
        yield from _check_modules(info)
        yield from _check_persistence(info)
    yield from _check_memory(info)
    yield from _check_clients(info)


def _ask(url: str) -> tuple[Mapping[str, Any], float]:
    client = redis.Redis.from_url(
        url, protocol=2, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None
    )
    with client:
        info: Any = client.info("everything")
        info["modules"] = info.get("modules") or []
        return info, min(_round_trip_s(client) for _ in range(PINGS))


def _round_trip_s(client: redis.Redis) -> float:
    started_at = time.perf_counter()
    client.ping()
    return time.perf_counter() - started_at


def _version(info: Mapping[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}"


def _check_place(
    name: str, url: str, info: Mapping[str, Any], latency_s: float
) -> Iterator[Finding]:
    if latency_s > SLOW_S:
        yield warning(
            f"{name}: {latency_s * 1000:.0f} ms for a round trip", "Put Redis next to the workers."
        )
    if info.get("role") != "master":
        yield failure(f"{name}: a replica, which takes no writes", f"Point {name} to the primary.")
    if info.get("cluster_enabled"):
        yield failure(
            f"{name}: a Redis Cluster, which Celery cannot use", "Use one server, or Sentinel."
        )
    parts = urlsplit(url)
    if not parts.password and parts.hostname not in {"127.0.0.1", "localhost", "::1", None}:
        yield warning(f"{name}: no password", "Set requirepass, and put it into the address.")


def _check_modules(info: Mapping[str, Any]) -> Iterator[Finding]:
    modules = {str(module["name"]).lower() for module in info["modules"]}
    if modules & {"rejson", "json"}:
        yield ok("JSON documents are there")
    else:
        yield failure(
            "The server has no JSON documents", f"Run Redis {LEAST_MAJOR} or newer, or Redis Stack."
        )
    if not modules & {"search", "searchlight", "valkeysearch"}:
        yield warning(
            "The server has no search", "The admin searches slowly; Redis 8 has search built in."
        )


def _check_persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        yield failure(
            "Redis forgets what it was told since its last snapshot when it ends",
            "Set: appendonly yes, appendfsync everysec.",
        )
    elif info.get("aof_last_write_status") != "ok":
        yield failure("Redis cannot write its append-only file", "Is its disk full?")
    else:
        yield ok("Redis keeps an append-only file")


def _check_memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy, limit = info.get("maxmemory_policy"), int(info.get("maxmemory", 0))
    if policy != "noeviction":
        yield failure(
            f"Redis throws keys away when it is full (maxmemory-policy {policy})",
            "Set: maxmemory-policy noeviction. Sessions end by themselves.",
        )
    else:
        yield ok("Redis refuses writes when it is full, and throws nothing away")
    used = int(info["used_memory"])
    if limit and used > ALMOST_FULL * limit:
        yield warning(
            f"Redis uses {used / limit:.0%} of its memory",
            "Raise maxmemory, or lower SESSION_TTL_S.",
        )


def _check_clients(info: Mapping[str, Any]) -> Iterator[Finding]:
    clients, most = int(info["connected_clients"]), int(info.get("maxclients", 10_000))
    if clients > ALMOST_FULL * most:
        yield warning(f"Redis has {clients} of {most} possible clients", "Raise maxclients.")


def _place(url: str) -> str:
    """Return where a server is, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
