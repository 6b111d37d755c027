"""Copying all sessions from one Redis to another, such as from a server to a Redis Cluster.

A session is loaded and stored by one script each, and loaded again from the copy to compare them.
What was copied before is only compared, so an interrupted copy goes on where it ended.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from chat.store.buckets import bucket_of
from chat.store.client import Store, translate_redis_errors
from chat.store.command import Arguments, Command, Reply, named, no_value
from chat.store.keys import DOCUMENT_PATTERN, session_keys, session_of

T = TypeVar("T")

BATCH = 50
SCAN_COUNT = 2_000


@dataclass(frozen=True)
class Exported:
    """All lasting keys of a session, as `export` returns them; `requested_ms` is 0 for none."""

    rows: tuple[dict[str, Any], ...]
    requested_ms: int

    @property
    def shares(self) -> list[str]:
        """The ids of the session's links."""
        names = (row["name"].partition(":") for row in self.rows)
        return [share for kind, _, share in names if kind == "snapshot"]

    def content(self) -> dict[str, Any]:
        """Return what two copies have in common: the order of a hash's fields may differ."""
        return {row["name"]: row | {"value": _unordered(row)} for row in self.rows}


@dataclass
class Progress:
    """Counts of sessions, and of links that a cluster cannot find.

    Versions before 0.2 chose the address of a link without regard to its session's bucket.
    """

    copied: int = 0
    unchanged: int = 0
    expired: int = 0
    different: int = 0
    lost_links: int = 0


def export(session: str) -> Command[Exported | None]:
    """Load a session with everything that lasts; None if it does not exist."""

    def parse(reply: Reply) -> Exported | None:
        if reply.status == "gone":
            return None
        return Exported(tuple(map(named, reply["rows"])), reply["requested_ms"])

    return Command("export", session_keys(session), {"session": session}, parse)


def store_exported(session: str, exported: Exported) -> Command[None]:
    """Store a session as `export` loaded it."""
    arguments: Arguments = {
        "session": session,
        "rows": json.dumps(exported.rows),
        "requested_ms": exported.requested_ms,
    }
    return Command("import", session_keys(session), arguments, no_value)


def copy_sessions(source: Store, target: Store) -> Iterator[Progress]:
    """Copy all sessions; yield the counts after each batch. Raises StoreUnavailable, StoreFull.

    The chat must not run on either of them.
    """
    progress = Progress()
    ids = document_ids(source)
    while batch := list(islice(ids, BATCH)):
        found = dict(zip(batch, _run_all(source, map(export, batch)), strict=True))
        sessions = {id: exported for id, exported in found.items() if exported}
        progress.expired += len(found) - len(sessions)
        there = _exported(target, sessions)
        missing = {id: each for id, each in sessions.items() if not _is_same(there[id], each)}
        _run_all(target, (store_exported(*each) for each in missing.items()))
        copies = _exported(target, missing)
        different = [id for id, each in missing.items() if not _is_same(copies[id], each)]
        progress.unchanged += len(sessions) - len(missing)
        progress.copied += len(missing) - len(different)
        progress.different += len(different)
        if target.buckets > 1:
            progress.lost_links += sum(
                bucket_of(share) != bucket_of(id)
                for id, each in missing.items()
                for share in each.shares
            )
        yield progress


def document_ids(store: Store) -> Iterator[str]:
    """Yield the ids of all sessions, some perhaps twice; raises StoreUnavailable."""
    with translate_redis_errors("scan"):
        for server in store.servers():
            for key in server.scan_iter(DOCUMENT_PATTERN, count=SCAN_COUNT):
                yield session_of(key)


def _exported(store: Store, sessions: Sequence[str] | dict[str, Any]) -> dict[str, Exported | None]:
    return dict(zip(sessions, _run_all(store, map(export, sessions)), strict=True))


def _run_all(store: Store, commands: Iterator[Command[T]]) -> list[T]:
    results = []
    for result in store.run_all(list(commands)):
        if isinstance(result, Exception):
            raise result
        results.append(result)
    return results


def _is_same(one: Exported | None, other: Exported) -> bool:
    return one is not None and one.content() == other.content()


def _unordered(row: dict[str, Any]) -> Any:
    if row["kind"] == "json":
        return json.loads(row["value"])
    if row["kind"] == "hash":
        return named(row["value"])
    return row["value"]
