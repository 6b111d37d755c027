"""Commands about the whole deployment: the sweep, workers' heartbeats and slots, health probes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chat.store.command import Arguments, Command, Reply, joined, merge_nothing, named, no_value
from chat.store.keys import cluster_keys, health_probe_keys
from chat.store.operation.endpoints import (
    EndpointReport,
    EndpointStatus,
    dump_reports,
    merge_reports,
)
from chat.store.operation.memory import Memory, parse_memory
from chat.store.timing import (
    DUTY_TIMEOUT_MS,
    GRACE_MS,
    QUEUE_KEPT_MS,
    SOCKET_TIMEOUT_MS,
    to_ms,
)

SWEEP_AGAIN_MS = 5_000
SWEEP_SCANNED = 2_000
WORKER_TIMEOUT_S = 10.0
HEALTH_PROBE_KEPT_MS = 60_000


@dataclass(frozen=True)
class Swept:
    """The sessions that a sweep found, and the state of the queue.

    `waiting` counts sessions without a worker, `in_progress` those with one. `mean_reply_ms` is the
    mean duration of recent replies, None if there were none.
    """

    sessions: tuple[str, ...]
    waiting: int
    in_progress: int
    mean_reply_ms: int | None


@dataclass(frozen=True)
class ClusterState:
    """State of the whole deployment.

    `waiting` counts sessions with unanswered messages. `overdue_s` is how late the sweep is for the
    oldest of them. `workers` maps each worker to the seconds since its last heartbeat, most silent
    first; workers without one for an hour are removed. `memory` is None if Redis has no limit or
    does not show it. `deletion_age_s` is the age of the oldest deletion whose text is still in
    Redis' files, or 0. `operators` counts sessions that a person answers, `operators_on_duty` pages
    of operators who can be asked, `operator_requests` the visitors who ask.
    Redis' files, or 0. `endpoints` are those of the models, as living workers see them.
    """

    waiting: int
    overdue_s: float
    swept_ago_s: float | None
    workers: dict[str, float]
    memory: Memory | None = None
    deletion_age_s: float = 0
    operators: int = 0
    operators_on_duty: int = 0
    operator_requests: int = 0
    endpoints: tuple[EndpointStatus, ...] = ()

    @property
    def alive(self) -> list[str]:
        """The workers with a heartbeat in the last WORKER_TIMEOUT_S."""
        return _alive(self.workers)


def _alive(workers: Mapping[str, float]) -> list[str]:
    return [name for name, silent_s in workers.items() if silent_s < WORKER_TIMEOUT_S]


def load() -> Command[ClusterState]:
    """Load the cluster state."""

    def parse(reply: Reply) -> ClusterState:
        swept_ago_ms = reply["swept_ago_ms"]
        workers = {name: silent / 1000 for name, silent in named(reply["silent_ms"]).items()}
        return ClusterState(
            waiting=reply["waiting"],
            overdue_s=reply["overdue_ms"] / 1000,
            swept_ago_s=None if swept_ago_ms is None else swept_ago_ms / 1000,
            workers=workers,
            endpoints=merge_reports(named(reply["endpoints"]), _alive(workers)),
            memory=parse_memory(reply),
            deletion_age_s=reply["oldest_deletion_ms"] / 1000,
            operators=reply["operators"],
            operators_on_duty=reply["operators_on_duty"],
            operator_requests=reply["operator_requests"],
        )

    arguments: Arguments = {"duty_timeout_ms": DUTY_TIMEOUT_MS}
    return Command("load_cluster", cluster_keys(), arguments, parse, _merge_states)


def _merge_states(states: Sequence[ClusterState]) -> ClusterState:
    """Merge the states of buckets. Every bucket has all workers, and operators on duty.

    The memory is that of the server with the least space.
    """
    silent_s: dict[str, float] = {}
    for state in states:
        for name, seconds in state.workers.items():
            silent_s[name] = min(seconds, silent_s.get(name, seconds))
    in_order = sorted(silent_s.items(), key=lambda worker: worker[1], reverse=True)
    memories = [state.memory for state in states if state.memory]
    return ClusterState(
        waiting=sum(state.waiting for state in states),
        overdue_s=max(state.overdue_s for state in states),
        swept_ago_s=max(
            (state.swept_ago_s for state in states if state.swept_ago_s is not None), default=None
        ),
        workers=dict(in_order),
        memory=max(memories, key=lambda memory: memory.share, default=None),
        deletion_age_s=max(state.deletion_age_s for state in states),
        operators=sum(state.operators for state in states),
        operators_on_duty=max(state.operators_on_duty for state in states),
        operator_requests=sum(state.operator_requests for state in states),
        endpoints=states[0].endpoints,
    )


def sweep(most: int, least: int | None = None) -> Command[Swept]:
    """Find sessions with unanswered messages that no worker holds, up to `most` of each bucket.

    With `least`, of those that wait for a worker only the oldest are found, that many more than
    workers have free slots.
    """

    def parse(reply: Reply) -> Swept:
        return Swept(
            sessions=tuple(reply["sessions"]),
            waiting=reply["waiting"],
            in_progress=max(reply["due"] - reply["waiting"], 0),
            mean_reply_ms=reply["reply_ms"] or None,
        )

    arguments: Arguments = {
        "most": most,
        "least": least or 0,
        "in_turn": int(least is None),
        "scanned": SWEEP_SCANNED,
        "again_ms": SWEEP_AGAIN_MS,
        "grace_ms": GRACE_MS,
        "worker_timeout_ms": to_ms(WORKER_TIMEOUT_S),
        "socket_timeout_ms": SOCKET_TIMEOUT_MS,
    }
    return Command("sweep", cluster_keys(), arguments, parse, _merge_sweeps, is_partial=True)


def _merge_sweeps(sweeps: Sequence[Swept]) -> Swept:
    means_ms = [each.mean_reply_ms for each in sweeps if each.mean_reply_ms]
    return Swept(
        sessions=tuple(session for each in sweeps for session in each.sessions),
        waiting=sum(each.waiting for each in sweeps),
        in_progress=sum(each.in_progress for each in sweeps),
        mean_reply_ms=round(sum(means_ms) / len(means_ms)) if means_ms else None,
    )


def record_queue(swept: Swept) -> Command[None]:
    """Record the state of the queue in each bucket of a Redis Cluster, for visitors who wait."""
    arguments: Arguments = {
        "waiting": swept.waiting,
        "in_progress": swept.in_progress,
        "reply_ms": swept.mean_reply_ms or 0,
        "kept_ms": QUEUE_KEPT_MS,
    }
    keys = cluster_keys()
    return Command("record_queue", keys, arguments, no_value, merge_nothing, is_partial=True)


def claim_waiting() -> Command[tuple[str, ...]]:
    """Claim the session of each bucket that has waited longest, for a worker that takes it soon."""

    def parse(reply: Reply) -> tuple[str, ...]:
        return (reply["session"],) if reply["session"] else ()

    arguments: Arguments = {"grace_ms": GRACE_MS}
    return Command("claim_waiting", cluster_keys(), arguments, parse, joined, is_partial=True)


def heartbeat(worker: str, *, free: int, endpoints: Sequence[EndpointReport] = ()) -> Command[None]:
    """Record a worker's heartbeat, its free slots and what it knows of the models' endpoints."""
    arguments: Arguments = {
        "worker": worker,
        "free": free,
        "endpoints": dump_reports(endpoints),
    }
    # Every bucket has all workers: a session's scripts tell visitors whether any is running.
    keys = cluster_keys()
    return Command("heartbeat", keys, arguments, no_value, merge_nothing, is_partial=True)


def find_slot(full_worker: str) -> Command[str | None]:
    """Find a worker with a free slot, other than `full_worker`, and count the slot as used."""
    arguments: Arguments = {"asking": full_worker, "timeout_ms": to_ms(WORKER_TIMEOUT_S / 2)}
    return Command("find_slot", cluster_keys(), arguments, lambda reply: reply["worker"])


def check_writable() -> Command[bool]:
    """Write a key to check that Redis accepts writes; return whether it can store JSON."""
    return Command("check_writable", cluster_keys(), {}, lambda reply: bool(reply["json"]), all)


def record_health_probe(nonce: str) -> Command[None]:
    """Record that a worker ran the health probe with this nonce."""
    arguments: Arguments = {"kept_ms": HEALTH_PROBE_KEPT_MS}
    return Command("record_health_probe", health_probe_keys(nonce), arguments, no_value)


def health_probe_done(nonce: str) -> Command[bool]:
    """Return whether a worker ran the health probe with this nonce."""
    keys = health_probe_keys(nonce)
    return Command("health_probe_done", keys, {}, lambda reply: bool(reply["done"]))
