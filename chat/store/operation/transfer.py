"""Copying all sessions from one Redis to another, such as from a server to a Redis Cluster.

A session is loaded and stored by one script each, and loaded again from the copy to compare them.
What was copied before is only compared, so an interrupted copy goes on where it ended.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chat.store.client import Store
from chat.store.command import Arguments, Command, Reply, named, no_value
from chat.store.keys import session_keys
from chat.store.operation.inspection import document_ids, run_all

BATCH = 50


@dataclass(frozen=True)
class Exported:
    """All lasting keys of a session, as `export` returns them; `requested_ms` is 0 for none."""

    rows: tuple[dict[str, Any], ...]
    requested_ms: int

    def content(self) -> dict[str, Any]:
        """Return what two copies have in common: the order of a hash's fields may differ."""
        return {row["name"]: row | {"value": _unordered(row)} for row in self.rows}


@dataclass
class Progress:
    """Counts of sessions."""

    copied: int = 0
    unchanged: int = 0
    expired: int = 0
    different: int = 0


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
        found = dict(zip(batch, run_all(source, list(map(export, batch))), strict=True))
        sessions = {id: exported for id, exported in found.items() if exported}
        progress.expired += len(found) - len(sessions)
        there = _exported(target, sessions)
        missing = {id: each for id, each in sessions.items() if not _is_same(there[id], each)}
        run_all(target, [store_exported(*each) for each in missing.items()])
        copies = _exported(target, missing)
        different = [id for id, each in missing.items() if not _is_same(copies[id], each)]
        progress.unchanged += len(sessions) - len(missing)
        progress.copied += len(missing) - len(different)
        progress.different += len(different)
        yield progress


def _exported(store: Store, sessions: Sequence[str] | dict[str, Any]) -> dict[str, Exported | None]:
    return dict(zip(sessions, run_all(store, list(map(export, sessions))), strict=True))


def _is_same(one: Exported | None, other: Exported) -> bool:
    return one is not None and one.content() == other.content()


def _unordered(row: dict[str, Any]) -> Any:
    if row["kind"] == "json":
        return json.loads(row["value"])
    if row["kind"] == "hash":
        return named(row["value"])
    return row["value"]
