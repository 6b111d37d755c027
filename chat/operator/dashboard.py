"""The content of the dashboard: current figures, and charts of the last hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from chat.operator.charts import Chart, Series, chart, format_duration
from chat.operator.conditions import Query
from chat.operator.session_search import SessionSearch
from chat.store.client import Store
from chat.store.operation import cluster, inspection
from chat.store.operation.cluster import WORKER_TIMEOUT_S, ClusterState
from chat.store.operation.endpoints import EndpointStatus
from chat.store.operation.memory import Memory, format_bytes, full_in_s
from chat.store.operation.statistics import (
    Minutes,
    Refusal,
    durations,
    failures,
    load_minutes,
    percentile_ms,
    ratings,
    refusals,
)

MINUTES = 60
MODEL_MINUTES = 5
# The shares of failed calls from which the model is degraded, and from which it is failing.
DEGRADED_SHARE = 0.05
FAILING_SHARE = 0.5
LOADING_S = 60
MAX_REFUSALS = 5
# The shares of bad ratings from which visitors are dissatisfied; fewer ratings say nothing.
DISSATISFIED_SHARE = 0.3
ANGRY_SHARE = 0.6
MIN_RATINGS = 5


@dataclass(frozen=True)
class Tile:
    """One figure. `link` is a query of the session list.

    `tone` is good, or warn if something needs attention, or bad if visitors suffer, or empty.
    """

    name: str
    value: str
    remark: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True)
class TileGroup:
    """Figures of one kind."""

    title: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Worker:
    """A worker, and the time since its last heartbeat. Workers stay listed for an hour."""

    name: str
    heartbeat_age_s: float
    is_alive: bool


@dataclass(frozen=True)
class Dashboard:
    """Everything the dashboard shows."""

    groups: tuple[TileGroup, ...]
    charts: tuple[Chart, ...]
    failures: tuple[tuple[str, int], ...]
    refusals: tuple[Refusal, ...]
    workers: tuple[Worker, ...]
    endpoints: tuple[EndpointStatus, ...] = ()
    worker_timeout_s: float = WORKER_TIMEOUT_S


def load_dashboard(store: Store) -> Dashboard:
    """Load the dashboard; raises StoreUnavailable."""
    minutes = store.run(load_minutes(MINUTES + 1))
    state = store.run(cluster.load())
    workers = _workers(state)
    hour = _sum(minutes.figures)
    return Dashboard(
        groups=(
            TileGroup(
                "Health",
                (
                    _model_tile(minutes),
                    _workers_tile(workers),
                    _memory_tile(state.memory, minutes),
                ),
            ),
            TileGroup(
                "Now",
                (
                    *_queue_tiles(store),
                    _messages_tile(minutes),
                    _sessions_tile(store),
                    _sockets_tile(minutes),
                ),
            ),
            TileGroup("Feedback", _rating_tiles(hour)),
            TileGroup(
                "Speed",
                (
                    _latency_tile("Time to first text", durations(hour, "first")),
                    _latency_tile("Time to full reply", durations(hour, "total")),
                ),
            ),
        ),
        charts=_charts(minutes, hour),
        failures=tuple(failures(hour).most_common()),
        refusals=tuple(refusals(minutes)[:MAX_REFUSALS]),
        workers=workers,
        endpoints=state.endpoints,
    )


def _workers(state: ClusterState) -> tuple[Worker, ...]:
    workers = (Worker(name, age_s, name in state.alive) for name, age_s in state.workers.items())
    return tuple(sorted(workers, key=lambda worker: worker.heartbeat_age_s))


def _sum(figures: Sequence[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for minute in figures:
        total.update({name: n for name, n in minute.items() if not name.startswith("at:")})
    return total


def _sessions_tile(store: Store) -> Tile:
    search = SessionSearch(store)
    if search.indexed_share is None:
        return Tile("Sessions", "-", "not counted without a search index")
    return Tile("Sessions", f"{search.count(Query()):,}")


def _sockets_tile(minutes: Minutes) -> Tile:
    sampled = [minute["sockets"] for minute in minutes.figures[-2:] if "sockets" in minute]
    return Tile("Open sockets", f"{sampled[-1]:,}" if sampled else "-", "at the last sweep")


def _queue_tiles(store: Store) -> tuple[Tile, Tile]:
    busy = store.run(inspection.busy_sessions())
    in_progress = sum(each.in_progress for each in busy)
    waiting = sum(each.messages for each in busy) - in_progress
    return (
        Tile("Messages waiting", f"{waiting:,}", "for a worker", link="?state=waiting"),
        Tile("Replies in progress", f"{in_progress:,}", link="?state=in_progress"),
    )


def _messages_tile(minutes: Minutes) -> Tile:
    last, current = (minute.get("accepted", 0) for minute in minutes.figures[-2:])
    return Tile(
        "Messages per minute", f"{last:,}", f"last full minute; {current:,} so far in this one"
    )


def _latency_tile(name: str, counts: Mapping[int, int]) -> Tile:
    p50, p95 = percentile_ms(counts, 0.5), percentile_ms(counts, 0.95)
    if p50 is None or p95 is None:
        return Tile(name, "-", "no reply in the last hour")
    remark = f"median; 95th percentile {format_duration(p95)} (last hour)"
    return Tile(name, format_duration(p50), remark)


def _rating_tiles(hour: Mapping[str, int]) -> tuple[Tile, Tile]:
    good, bad = ratings(hour)
    given = good + bad
    if not given:
        share = Tile("Rated as good", "-", "no rating in the last hour")
    else:
        remark = f"{good:,} of {given:,} rating{'s' if given > 1 else ''} in the last hour"
        share = Tile("Rated as good", f"{good / given:.0%}", remark, _rating_tone(bad, given))
    return share, Tile("Rated as bad", f"{bad:,}", "in the last hour", link="?rating=down")


def _rating_tone(bad: int, given: int) -> str:
    if given < MIN_RATINGS:
        return ""
    share = bad / given
    return "bad" if share >= ANGRY_SHARE else "warn" if share >= DISSATISFIED_SHARE else "good"


def _workers_tile(workers: Sequence[Worker]) -> Tile:
    if not workers:
        return Tile("Workers", "0", "no heartbeat in the last hour", "bad")
    alive = sum(worker.is_alive for worker in workers)
    silent = len(workers) - alive
    remark = f"{silent} not responding" if silent else "all responding"
    tone = "bad" if not alive else "warn" if silent else "good"
    return Tile("Workers", str(alive), remark, tone)


def _memory_tile(memory: Memory | None, minutes: Minutes) -> Tile:
    if memory is None:
        return Tile("Redis memory", "-", "no maxmemory is set, or Redis does not show it")
    used = f"{format_bytes(memory.used)} of {format_bytes(memory.limit)}"
    if memory.refuses_sessions:
        return Tile("Redis memory", f"{memory.share:.0%}", f"{used}; no new sessions", "bad")
    left_s = full_in_s(minutes, memory.limit)
    growth = "not growing" if left_s is None else f"full in {format_duration(left_s * 1000)}"
    return Tile("Redis memory", f"{memory.share:.0%}", f"{used}; {growth}")


def _model_tile(minutes: Minutes) -> Tile:
    """Derive the model's state from the outcome of its last calls."""
    loading_at = _last(minutes, "at:loading")
    called_at = _last(minutes, "at:replied", "at:failed:m")
    loading_s = minutes.now.timestamp() - loading_at
    if loading_at >= called_at and loading_s < LOADING_S:
        return Tile("Model", "loading", f"last called {loading_s:.0f} s ago")
    if not called_at:
        return Tile("Model", "-", "not called in the last hour")
    called = timezone.localtime(datetime.fromtimestamp(called_at, UTC))
    last_call = f"last call {called:%H:%M:%S}"
    recent = _sum(minutes.figures[-MODEL_MINUTES:])
    failed = Counter({code: n for code, n in failures(recent).items() if code.startswith("model.")})
    if not failed:
        return Tile("Model", "responding", last_call, "good")
    (code, _), *_ = failed.most_common(1)
    calls = failed.total() + recent["replied"]
    remark = (
        f"{failed.total()} of {calls} call{'s' if calls > 1 else ''} failed"
        f" in the last {MODEL_MINUTES} min: {code}; {last_call}"
    )
    share = failed.total() / calls
    if share < DEGRADED_SHARE:
        return Tile("Model", "responding", remark, "good")
    if share < FAILING_SHARE:
        return Tile("Model", "degraded", remark, "warn")
    return Tile("Model", "failing", remark, "bad")


def _last(minutes: Minutes, *prefixes: str) -> float:
    """Return when any of these figures last changed, in seconds since 1970, or 0."""
    found = (
        time_ms / 1000
        for minute in minutes.figures
        for name, time_ms in minute.items()
        if name.startswith(prefixes)
    )
    return max(found, default=0.0)


def _charts(minutes: Minutes, hour: Mapping[str, int]) -> tuple[Chart, ...]:
    # Counts are drawn to the last full minute, samples to the current one.
    counted, sampled = minutes.figures[:-1], minutes.figures[1:]
    last_full_minute = minutes.now - timedelta(minutes=1)

    def counts(name: str) -> Series:
        return Series(name, [minute.get(name, 0) for minute in counted])

    def samples(name: str) -> Series:
        return Series(name, [minute.get(name) for minute in sampled])

    def latencies(title: str, name: str) -> Chart:
        shares = {"median": 0.5, "95th percentile": 0.95}
        series = []
        for label, share in shares.items():
            found_ms = [percentile_ms(durations(minute, name), share) for minute in counted]
            series.append(Series(label, [ms and ms / 1000 for ms in found_ms]))
        return chart(title, "s", series, last_full_minute, "median and 95th percentile")

    failed = Series("failed", [sum(failures(minute).values()) for minute in counted])
    return (
        chart(
            "Messages per minute",
            "",
            [counts("accepted"), counts("replied")],
            last_full_minute,
            f"{hour.get('accepted', 0):,} accepted, {hour.get('replied', 0):,} replied",
        ),
        latencies("Time to first text", "first"),
        latencies("Time to full reply", "total"),
        chart(
            "Failures per minute",
            "",
            [failed],
            last_full_minute,
            f"{sum(failures(hour).values()):,} in the last hour",
            "failed",
        ),
        chart(
            "Queue",
            "",
            [samples("waiting")],
            minutes.now,
            "sessions with a reply waiting or in progress",
        ),
        chart(
            "Open sockets",
            "",
            [samples("sockets")],
            minutes.now,
            "at the last sweep of each minute",
        ),
    )
