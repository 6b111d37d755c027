"""The service at a glance: figures of this moment, and of the last hour as charts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chat.operator.charts import Chart, Series, chart
from chat.operator.search_query import Query
from chat.operator.session_search import SessionSearch
from chat.operator.timeline import duration
from chat.store import cluster, inspection
from chat.store.client import Store
from chat.store.cluster import WORKER_TIMEOUT_S, ClusterState
from chat.store.statistics import Minutes, durations, failures, load_minutes, percentile_ms

MINUTES = 60
RECENT = 5
FALTERING_SHARE = 0.05
LOADING_S = 60


@dataclass(frozen=True)
class Tile:
    """One figure. `tone` is good, bad or empty."""

    name: str
    value: str
    remark: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True)
class Worker:
    """A worker, and the seconds since its last heartbeat."""

    name: str
    silent_s: float
    is_silent: bool


@dataclass(frozen=True)
class Dashboard:
    """Everything the dashboard shows."""

    at: datetime
    tiles: tuple[Tile, ...]
    charts: tuple[Chart, ...]
    failures: tuple[tuple[str, int], ...]
    workers: tuple[Worker, ...]


def read_dashboard(store: Store) -> Dashboard:
    """Read it; raises StoreUnavailable."""
    minutes = store.run(load_minutes(MINUTES + 1))
    workers = _workers(store.run(cluster.load()))
    hour = _sum(minutes.figures)
    return Dashboard(
        at=minutes.now,
        tiles=(
            _sessions_tile(store),
            _sockets_tile(minutes),
            *_queue_tiles(store),
            _messages_tile(minutes),
            _latency_tile("First text", durations(hour, "first")),
            _latency_tile("Whole reply", durations(hour, "total")),
            _workers_tile(workers),
            _model_tile(minutes),
        ),
        charts=_charts(minutes, hour),
        failures=tuple(failures(hour).most_common()),
        workers=tuple(workers),
    )


def _workers(state: ClusterState) -> list[Worker]:
    alive = state.alive
    found = (Worker(name, age_s, name not in alive) for name, age_s in state.workers.items())
    return sorted(found, key=lambda worker: worker.silent_s)


def _sum(figures: Sequence[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for minute in figures:
        total.update({name: n for name, n in minute.items() if not name.startswith("at:")})
    return total


def _sessions_tile(store: Store) -> Tile:
    directory = SessionSearch(store)
    if directory.indexed_share is None:
        return Tile("Sessions", "-", "not counted without a search index")
    return Tile("Sessions", f"{directory.count(Query()):,}")


def _sockets_tile(minutes: Minutes) -> Tile:
    sampled = [minute["sockets"] for minute in minutes.figures[-2:] if "sockets" in minute]
    return Tile("Open sockets", f"{sampled[-1]:,}" if sampled else "-", "at the last sweep")


def _queue_tiles(store: Store) -> tuple[Tile, Tile]:
    busy = store.run(inspection.busy_sessions())
    writing = [each for each in busy if each.writing]
    waiting = sum(each.messages for each in busy) - len(writing)
    return (
        Tile("Messages waiting", f"{waiting:,}", "for a worker", link="?state=waiting"),
        Tile("Being written", f"{len(writing):,}", "replies", link="?state=writing"),
    )


def _messages_tile(minutes: Minutes) -> Tile:
    whole = minutes.figures[-2].get("accepted", 0)
    running = minutes.figures[-1].get("accepted", 0)
    return Tile("Messages a minute", f"{whole:,}", f"the last whole minute; {running:,} in this")


def _latency_tile(name: str, counts: Mapping[int, int]) -> Tile:
    p50, p95 = percentile_ms(counts, 0.5), percentile_ms(counts, 0.95)
    if p50 is None or p95 is None:
        return Tile(name, "-", "no reply in the last hour")
    return Tile(name, duration(p50), f"half of the last hour's; 95% in {duration(p95)}")


def _workers_tile(workers: Sequence[Worker]) -> Tile:
    alive = sum(not worker.is_silent for worker in workers)
    silent = len(workers) - alive
    remark = (
        f"{silent} silent for over {WORKER_TIMEOUT_S:.0f} s" if silent else "last hour: none silent"
    )
    return Tile("Workers", str(alive), remark, "" if alive else "bad")


def _model_tile(minutes: Minutes) -> Tile:
    """Tell the model's state from what its last calls came to."""
    loading_at, called_at = (
        _last(minutes, "at:loading"),
        _last(minutes, "at:replied", "at:failed:m"),
    )
    loading_s = minutes.now.timestamp() - loading_at
    if loading_at >= called_at and loading_s < LOADING_S:
        return Tile("Model", "loading", f"asked {loading_s:.0f} s ago")
    if not called_at:
        return Tile("Model", "-", "not called in the last hour")
    at = f"last call {datetime.fromtimestamp(called_at, UTC):%H:%M:%S}"
    recent = _sum(minutes.figures[-RECENT:])
    failed = Counter({code: n for code, n in failures(recent).items() if code.startswith("model.")})
    if not failed:
        return Tile("Model", "answering", at, "good")
    code, _ = failed.most_common(1)[0]
    calls = failed.total() + recent["replied"]
    told = f"{failed.total()} of {calls} failed in {RECENT} min: {code}; {at}"
    if failed.total() / calls < FALTERING_SHARE:
        return Tile("Model", "answering", told, "good")
    return Tile("Model", "faltering" if recent["replied"] else "failing", told, "bad")


def _last(minutes: Minutes, *names: str) -> float:
    """Return when any of these last happened, in seconds since 1970; 0 where it did not."""
    found = (
        moment_ms / 1000
        for minute in minutes.figures
        for name, moment_ms in minute.items()
        if name.startswith(names)
    )
    return max(found, default=0.0)


def _charts(minutes: Minutes, hour: Mapping[str, int]) -> tuple[Chart, ...]:
    # What is counted is drawn up to the last whole minute, what is sampled up to now.
    figures, sampled = minutes.figures[:-1], minutes.figures[1:]

    def count(name: str) -> Series:
        return Series(name, [minute.get(name, 0) for minute in figures])

    def sample(name: str) -> Series:
        return Series(name, [minute.get(name) for minute in sampled])

    def latency(name: str, share: float) -> Series:
        found = [percentile_ms(durations(minute, name), share) for minute in figures]
        return Series(f"p{share * 100:.0f}", [ms and ms / 1000 for ms in found])

    failed = Series("failed", [sum(failures(minute).values()) for minute in figures])
    failed_in_all = f"{sum(failures(hour).values()):,} in the hour"
    return (
        chart(
            "Messages a minute",
            "",
            [count("accepted"), count("replied")],
            f"{hour.get('accepted', 0):,} accepted, {hour.get('replied', 0):,} replied",
        ),
        chart("First text", "s", [latency("first", 0.5), latency("first", 0.95)], "p50 and p95"),
        chart("Whole reply", "s", [latency("total", 0.5), latency("total", 0.95)], "p50 and p95"),
        chart("Failures a minute", "", [failed], failed_in_all, "failed"),
        chart("Queue", "", [sample("waiting")], "sessions waiting or being answered"),
        chart("Open sockets", "", [sample("sockets")], "at each minute's last sweep"),
    )
