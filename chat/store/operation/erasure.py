"""Erasing deleted texts from Redis' files.

Redis appends every write to its file, so the text of a session that was deleted or expired stays
there until Redis rewrites the file. Redis itself does that when the file has doubled. The scripts
record when texts are deleted; a task calls `erase_deleted_texts` every minute, which lets Redis
rewrite its files if there are any, at most once per interval. While nothing is deleted, nothing is
rewritten.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from redis.exceptions import ResponseError

from chat.store.client import Store, translate_redis_errors
from chat.store.command import Arguments, Command, Reply, no_value
from chat.store.keys import cluster_keys
from chat.store.timing import to_ms

logger = logging.getLogger(__name__)

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

    `run` names the run of the Redis process in which the rewrite started.
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

    return Command("load_erasure", cluster_keys(), {}, parse)


def claim_rewrite(run: str, *, interval_s: float) -> Command[bool]:
    """Claim the next rewrite; False if nothing was deleted or the last one was too recent."""
    arguments: Arguments = {
        "interval_ms": to_ms(interval_s),
        "run": run,
        "claim": uuid4().hex,
    }
    return Command("claim_rewrite", cluster_keys(), arguments, lambda reply: bool(reply["claimed"]))


def record_rewrite(outcome: Outcome) -> Command[None]:
    """Record how the claimed rewrite goes on."""
    return Command("record_rewrite", cluster_keys(), {"outcome": outcome.value}, no_value)


def erase_deleted_texts(store: Store, *, interval_s: float) -> None:
    """Start a rewrite of Redis' files if one is due, or record how the last one ended.

    Raises StoreUnavailable.
    """
    with translate_redis_errors("rewrite"):
        info = _info(store)
    if info.get("aof_rewrite_in_progress") or info.get("rdb_bgsave_in_progress"):
        return
    run = str(info.get("run_id", ""))
    last = store.run(load())
    if last.outcome is Outcome.RUNNING:
        complete = last.run == run and _succeeded(info, _takes_snapshots(info))
        store.run(record_rewrite(Outcome.COMPLETE if complete else Outcome.FAILED))
        if not complete:
            logger.warning("Redis could not rewrite its files, which contain deleted texts")
    if store.run(claim_rewrite(run, interval_s=interval_s)):
        with translate_redis_errors("rewrite"):
            _rewrite(store, info, last.outcome)


def _rewrite(store: Store, info: dict[str, Any], last: Outcome | None) -> None:
    try:
        _remove_expired_keys(store)
        _start(store, info)
    except ResponseError as error:
        # Redis also refuses with such an error what it can do only later.
        later = "progress" in str(error)
        store.run(record_rewrite(Outcome.FAILED if later else Outcome.REFUSED))
        if not later and last is not Outcome.REFUSED:
            logger.warning("Redis refuses to rewrite its files, which contain deleted texts")
        return
    store.run(record_rewrite(Outcome.RUNNING))


def _remove_expired_keys(store: Store) -> None:
    """Let Redis look at every key: it finds few expired keys on its own, and writes the others."""
    for _ in store.redis.scan_iter(count=KEYS_PER_SCAN):
        pass


def _start(store: Store, info: dict[str, Any]) -> None:
    if _takes_snapshots(info):
        store.redis.execute_command("BGSAVE")
    if _appends(info):
        # While a snapshot is being written, Redis schedules the rewrite.
        store.redis.execute_command("BGREWRITEAOF")


def _appends(info: dict[str, Any]) -> bool:
    return bool(info.get("aof_enabled", 1))


def _takes_snapshots(info: dict[str, Any]) -> bool:
    """Return whether the server writes RDB files, too; CONFIG would say it, but shows secrets."""
    return not _appends(info) or int(info.get("rdb_saves", 0)) > 0


def _info(store: Store) -> dict[str, Any]:
    """Return the sections about files and the process; empty if this user may not see them."""
    try:
        return dict(store.redis.info("persistence")) | dict(store.redis.info("server"))
    except ResponseError:
        return {}


def _succeeded(info: dict[str, Any], takes_snapshots: bool) -> bool:
    statuses = [info.get("aof_last_bgrewrite_status", "ok")]
    if takes_snapshots:
        statuses.append(info.get("rdb_last_bgsave_status", "ok"))
    return all(status == "ok" for status in statuses)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
