"""Checks of what runs behind the web: broker, channel layer, workers, sweep, database, settings."""

import asyncio
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.container import store
from chat.errors import StoreUnavailable
from chat.observability.exporter import queued_tasks
from chat.observability.health import layer_probe
from chat.store import cluster

LAYER_TIMEOUT_S = 3
KOMBU_VISIBILITY_TIMEOUT_S = 3600
LATE_S = 10


def check_broker() -> Iterator[Finding]:
    """Count waiting tasks, and compare the broker's patience with the replies' deadline."""
    try:
        yield ok(f"The broker answers; {queued_tasks()} tasks wait")
    except Exception as error:  # noqa: BLE001 transports raise what their servers raise
        yield failure(
            f"The broker does not answer ({type(error).__name__})", "See CELERY_BROKER_URL."
        )
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    if not options.get("ack_emulation", True):
        yield ok("Tasks are not given out a second time: no visibility time-out is at work")
        return
    visibility_s = float(str(options.get("visibility_timeout", KOMBU_VISIBILITY_TIMEOUT_S)))
    if visibility_s <= settings.REPLY_DEADLINE_S:
        yield failure(
            f"Tasks are given out again after {visibility_s:.0f} s, while replies may take"
            f" {settings.REPLY_DEADLINE_S:.0f} s",
            "Raise visibility_timeout above REPLY_DEADLINE_S.",
        )


def check_layer() -> Iterator[Finding]:
    """Send an event through the channel layer and wait for it."""

    async def round_trip() -> None:
        async with asyncio.timeout(LAYER_TIMEOUT_S):
            await layer_probe().round_trip()

    try:
        asyncio.run(round_trip())
        yield ok("Events come back through the channel layer")
    except Exception as error:  # noqa: BLE001 layers raise what their servers raise
        yield failure(
            f"Events do not come back through the channel layer ({type(error).__name__})",
            "See CHANNEL_REDIS_URL: replies reach sockets late, when they read again.",
        )


def check_workers() -> Iterator[Finding]:
    """Ask who gives signs of life, and when the sweep was."""
    try:
        store().run(cluster.check_writable())
        standing = store().run(cluster.load())
    except StoreUnavailable:
        yield failure("Redis does not take writes", "See what is said of REDIS_URL.")
        return
    if standing.alive:
        yield ok(f"Workers alive: {len(standing.alive)}")
    else:
        yield failure("No worker gives a sign of life", "Start one: see Procfile.production.")
    if standing.swept_ago_s is None or standing.swept_ago_s > LATE_S:
        yield failure(
            "Nobody looks for messages that were left behind",
            "Start beat (see Procfile.production); it needs a worker, too.",
        )
    else:
        yield ok(f"The last sweep was {standing.swept_ago_s:.1f} s ago")
    if standing.overdue_s > LATE_S:
        yield warning(
            f"A session waits since {standing.overdue_s:.0f} s for the sweep",
            "Is every worker thread busy? Add workers or raise WORKER_CONCURRENCY.",
        )


def check_database() -> Iterator[Finding]:
    """Look whether the database of the admin's users is there and up to date."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield failure(f"The database does not answer ({type(error).__name__})", "See DATABASE_URL.")
        return
    if pending:
        yield failure(f"{len(pending)} migrations are not applied", "Run: python manage.py migrate")
    else:
        yield ok(f"The database ({connection.vendor}) is up to date")
    if settings.APP_ENV == "production" and connection.vendor == "sqlite":
        yield warning(
            "The admin's users are in SQLite", "With web processes on several hosts use PostgreSQL."
        )


def check_settings() -> Iterator[Finding]:
    """Compare settings that depend on each other."""
    if settings.APP_ENV == "production" and settings.DEBUG:
        yield failure("DEBUG is on in production", "Remove it: errors show the code to everybody.")
    if settings.MODEL_TIMEOUT_S > settings.REPLY_DEADLINE_S:
        yield warning(
            "MODEL_TIMEOUT_S is above REPLY_DEADLINE_S: a silent model is never tried again",
            "Lower MODEL_TIMEOUT_S to a half of it or less.",
        )
    if settings.SESSION_TTL_S <= settings.REPLY_DEADLINE_S:
        yield warning(
            "A session may end before its reply is there", "Raise SESSION_TTL_S well above it."
        )
