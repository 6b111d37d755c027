"""Erasing deleted texts from Redis' files.

Redis appends every write to its file, so the text of a session that was deleted or expired stays
there until Redis rewrites the file. Redis itself does that when the file has doubled. The scripts
record when texts are deleted; a task calls `erase_deleted_texts` every minute, which lets Redis
rewrite its files if there are any, at most once per interval. While nothing is deleted, nothing is
rewritten.

On a Redis Cluster, all servers rewrite their files at the same time, also replicas.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

import redis
from redis.exceptions import ResponseError

from chat.store.client import Store, translate_redis_errors
from chat.store.command import Arguments, Command, Reply, merge_nothing, no_value
from chat.store.keys import cluster_keys
from chat.store.timing import to_ms

logger = logging.getLogger(__name__)
Info = dict[str, Any]

KEYS_PER_SCAN = 1_000
# Beyond the interval, an erasure takes up to two minutes to begin, and the time of the rewrite.
ERASURE_MARGIN_S = 300


class Outcome(StrEnum):
    """How a rewrite went. Managed Redis servers may refuse the command."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Erasure:
    """The last rewrite, and for how long the oldest deleted text has been in Redis' files.

    `run` names the runs of the Redis processes in which the rewrite started.
    """

    started_ago_s: float | None
    run: str | None
    outcome: Outcome | None
    oldest_deletion_s: float | None


def load() -> Command[Erasure]:
    """Load how the last rewrite went."""

    def parse(reply: Reply) -> Erasure:
        return Erasure(
            started_ago_s=_seconds(reply["started_ago_ms"]),
            run=reply["run"],
            outcome=Outcome(reply["outcome"]) if reply["outcome"] else None,
            oldest_deletion_s=_seconds(reply["oldest_deletion_ms"]),
        )

    return Command("load_erasure", cluster_keys(), {}, parse, _merge)


def _merge(buckets: Sequence[Erasure]) -> Erasure:
    """Return the last rewrite of any bucket, which was one of all servers."""
    started = [each for each in buckets if each.started_ago_s is not None]
    last = min(started, key=lambda each: each.started_ago_s or 0, default=buckets[0])
    ages_s = [each.oldest_deletion_s for each in buckets if each.oldest_deletion_s is not None]
    return replace(last, oldest_deletion_s=max(ages_s, default=None))


def claim_rewrite(run: str, *, interval_s: float) -> Command[bool]:
    """Claim the next rewrite; False if nothing was deleted or the last one was too recent."""
    arguments: Arguments = {
        "interval_ms": to_ms(interval_s),
        "run": run,
        "claim": uuid4().hex,
    }
    return Command(
        "claim_rewrite", cluster_keys(), arguments, lambda reply: bool(reply["claimed"]), any
    )


def record_rewrite(outcome: Outcome) -> Command[None]:
    """Record how the claimed rewrite goes on."""
    arguments: Arguments = {"outcome": outcome.value}
    return Command("record_rewrite", cluster_keys(), arguments, no_value, merge_nothing)


def erase_deleted_texts(store: Store, *, interval_s: float) -> None:
    """Start a rewrite of Redis' files if one is due, or record how the last one ended.

    Raises StoreUnavailable.
    """
    with translate_redis_errors("rewrite"):
        servers = [(server, _info(server)) for server in store.servers(replicas=True)]
    if any(_is_writing(info) for _, info in servers):
        return
    run = " ".join(sorted(str(info.get("run_id", "")) for _, info in servers))
    last = store.run(load())
    if last.outcome is Outcome.RUNNING:
        complete = last.run == run and all(_succeeded(info) for _, info in servers)
        store.run(record_rewrite(Outcome.COMPLETE if complete else Outcome.FAILED))
        if not complete:
            logger.warning("Redis could not rewrite its files, which contain deleted texts")
    # Each bucket of a Redis Cluster claims for itself: one may have waited that has just begun to.
    if last.started_ago_s is not None and last.started_ago_s < interval_s:
        return
    if store.run(claim_rewrite(run, interval_s=interval_s)):
        with translate_redis_errors("rewrite"):
            _rewrite(store, servers, last.outcome)


def _rewrite(
    store: Store, servers: Sequence[tuple[redis.Redis, Info]], last: Outcome | None
) -> None:
    try:
        for server, info in servers:
            _remove_expired_keys(server)
            _start(server, info)
    except ResponseError as error:
        # Redis also refuses with such an error what it can do only later.
        later = "progress" in str(error)
        store.run(record_rewrite(Outcome.FAILED if later else Outcome.REFUSED))
        if not later and last is not Outcome.REFUSED:
            logger.warning("Redis refuses to rewrite its files, which contain deleted texts")
        return
    store.run(record_rewrite(Outcome.RUNNING))


def _remove_expired_keys(server: redis.Redis) -> None:
    """Let Redis look at every key: it finds few expired keys on its own, and writes the others."""
    for _ in server.scan_iter(count=KEYS_PER_SCAN):
        pass


def _start(server: redis.Redis, info: Info) -> None:
    if _takes_snapshots(info):
        server.execute_command("BGSAVE")
    if _appends(info):
        # While a snapshot is being written, Redis schedules the rewrite.
        server.execute_command("BGREWRITEAOF")


def _is_writing(info: Info) -> bool:
    return bool(info.get("aof_rewrite_in_progress") or info.get("rdb_bgsave_in_progress"))


def _appends(info: Info) -> bool:
    return bool(info.get("aof_enabled", 1))


def _takes_snapshots(info: Info) -> bool:
    """Return whether the server writes RDB files, too; CONFIG would say it, but shows secrets."""
    return not _appends(info) or int(info.get("rdb_saves", 0)) > 0


def _info(server: redis.Redis) -> Info:
    """Return the sections about files and the process; empty if this user may not see them."""
    try:
        return dict(server.info("persistence")) | dict(server.info("server"))
    except ResponseError:
        return {}


def _succeeded(info: Info) -> bool:
    statuses = [info.get("aof_last_bgrewrite_status", "ok")]
    if _takes_snapshots(info):
        statuses.append(info.get("rdb_last_bgsave_status", "ok"))
    return all(status == "ok" for status in statuses)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
