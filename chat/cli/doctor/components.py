"""Checks behind the web process: broker, channel layer, workers, sweep, database, settings."""

import asyncio
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

from chat.cli.doctor.findings import Finding, count, failure, ok, progress, warning
from chat.container import store
from chat.errors import StoreUnavailable
from chat.events.queues import queued_tasks
from chat.observability.health import MAX_OVERDUE_S, MAX_SWEEP_AGE_S, layer_probe
from chat.store.operation import cluster, erasure
from chat.store.operation.erasure import ERASURE_MARGIN_S, Outcome
from chat.store.operation.statistics import load_minutes

LAYER_TIMEOUT_S = 3
# Beat sweeps every second, and a worker sends its first heartbeat when it is ready.
START_UP_S = 10.0
POLL_S = 0.5
# How many minutes before this one beat must have swept in; what it does less often is due by then.
START_UP_MINUTES = 2


def check_broker() -> Iterator[Finding]:
    """Check that the broker responds."""
    try:
        yield ok(f"The broker responds; {count(queued_tasks(), 'task')} queued")
    except Exception as error:  # noqa: BLE001 each transport raises its own library's errors
        yield failure(
            f"The broker does not respond ({type(error).__name__})", "Check CELERY_BROKER_URL."
        )


def check_layer() -> Iterator[Finding]:
    """Send an event through the channel layer and receive it."""

    async def round_trip() -> None:
        async with asyncio.timeout(LAYER_TIMEOUT_S):
            await layer_probe().round_trip()

    try:
        asyncio.run(round_trip())
        yield ok("The channel layer delivers events")
    except Exception as error:  # noqa: BLE001 each layer raises its own library's errors
        yield failure(
            f"The channel layer does not deliver events ({type(error).__name__}),"
            " so replies arrive late",
            "Check CHANNEL_REDIS_URL.",
        )


def check_workers() -> Iterator[Finding]:
    """Check that Redis accepts writes, workers send heartbeats and the sweep runs."""
    try:
        store().run(cluster.check_writable())
        state = store().run(cluster.load())
    except StoreUnavailable:
        yield failure("Redis does not accept writes", "See the lines about REDIS_URL.")
        return
    if not _is_running(state):
        yield progress(f"Waiting up to {START_UP_S:.0f} s for a worker and the sweep to start")
        state = _wait_for_start(state)
    yield from check_cluster(state)


def _wait_for_start(state: cluster.ClusterState) -> cluster.ClusterState:
    give_up_at = time.monotonic() + START_UP_S
    while not _is_running(state) and time.monotonic() < give_up_at:
        time.sleep(POLL_S)
        state = store().run(cluster.load())
    return state


def _is_running(state: cluster.ClusterState) -> bool:
    return bool(state.alive) and _is_swept(state)


def _is_swept(state: cluster.ClusterState) -> bool:
    return state.swept_ago_s is not None and state.swept_ago_s <= MAX_SWEEP_AGE_S


def check_cluster(state: cluster.ClusterState) -> Iterator[Finding]:
    if state.alive:
        yield ok(f"{count(len(state.alive), 'worker')} running")
    else:
        yield failure(
            f"No worker has sent a heartbeat in the last {cluster.WORKER_TIMEOUT_S:.0f} s",
            "Start a worker: see Procfile.production.",
        )
    if not _is_swept(state):
        yield failure(
            "The sweep for unanswered messages does not run",
            "Start beat and a worker: see Procfile.production.",
        )
    else:
        yield ok(f"The last sweep ran {state.swept_ago_s or 0:.1f} s ago")
    if state.overdue_s > MAX_OVERDUE_S:
        yield warning(
            f"A session has been waiting for {state.overdue_s:.0f} s",
            "If all worker threads are busy, add workers or raise WORKER_CONCURRENCY.",
        )


def check_erasure() -> Iterator[Finding]:
    """Check that deleted texts also leave Redis' files."""
    if not settings.AOF_REWRITE_INTERVAL_S:
        yield warning(
            "Deleted texts stay in Redis' files until it rewrites them on its own",
            "Set AOF_REWRITE_INTERVAL_S, unless the server refuses BGREWRITEAOF.",
        )
        return
    minutes = store().run(load_minutes(START_UP_MINUTES + 1))
    beat_has_just_started = not minutes.figures[0].get("swept")
    yield from check_rewrites(
        store().run(erasure.load()), beat_has_just_started=beat_has_just_started
    )


def check_rewrites(
    found: erasure.Erasure, *, beat_has_just_started: bool = False
) -> Iterator[Finding]:
    """Check how the last rewrite ended, and that no deletion waits too long for one."""
    if found.outcome is Outcome.REFUSED:
        yield warning(
            "Redis refuses to rewrite its files, which contain deleted texts",
            "Allow BGREWRITEAOF (docs/how-to/restrict-redis-users.md). If your provider does not,"
            " set AOF_REWRITE_INTERVAL_S=0, so that the page does not promise it.",
        )
    elif found.outcome is Outcome.FAILED:
        yield failure(
            "Redis could not rewrite its files, which contain deleted texts",
            "See its log, and check whether its disk is full.",
        )
    elif (found.oldest_deletion_s or 0) > settings.AOF_REWRITE_INTERVAL_S + ERASURE_MARGIN_S:
        text = (
            f"A text that was deleted {found.oldest_deletion_s:.0f} s ago is still in Redis' files"
        )
        if beat_has_just_started:
            yield warning(f"{text}; beat has just started", "Run doctor again in two minutes.")
        else:
            yield failure(text, "Start beat and a worker: see Procfile.production.")
    else:
        yield ok("Deleted texts leave Redis' files")


def check_database() -> Iterator[Finding]:
    """Check that the database of the admin's users responds and all migrations are applied."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield failure(
            f"The database does not respond ({type(error).__name__})", "Check DATABASE_URL."
        )
        return
    if pending:
        yield failure(
            f"The database lacks {count(len(pending), 'migration')}",
            "Run: python manage.py migrate",
        )
    else:
        yield ok(f"The database ({connection.vendor}) is up to date")
    if settings.APP_ENV == "production" and connection.vendor == "sqlite":
        yield warning(
            "The admin's users are stored in SQLite",
            "Use PostgreSQL if web processes run on several hosts.",
        )


def check_settings() -> Iterator[Finding]:
    """Check settings that depend on each other."""
    if settings.APP_ENV == "production" and settings.DEBUG:
        yield failure("DEBUG is on in production, so error pages show source code", "Remove DEBUG.")
    if settings.MODEL_TIMEOUT_S > settings.REPLY_DEADLINE_S:
        yield warning(
            "MODEL_TIMEOUT_S is above REPLY_DEADLINE_S, so a silent model is never retried",
            "Lower MODEL_TIMEOUT_S to half of REPLY_DEADLINE_S or less.",
        )
    if settings.SESSION_TTL_S <= settings.REPLY_DEADLINE_S:
        yield warning(
            "A session may expire before its reply is complete",
            "Raise SESSION_TTL_S well above REPLY_DEADLINE_S.",
        )
