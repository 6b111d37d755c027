"""What Prometheus scrapes: the metrics of all processes of this host, and the cluster state.

The web process responds at `/metrics`; a worker on a host without one has a port of its own
(`WORKER_METRICS_ADDRESS`). The cluster state is the same for all hosts: only web processes send it.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from celery import current_app
from django.conf import settings
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from chat.container import async_store
from chat.observability.metric_files import settled
from chat.store import cluster
from chat.store.cluster import ClusterState

logger = logging.getLogger(__name__)

TIMEOUT_S = 3


class HostCollector:
    """Adds up the metric files of this host's processes."""

    def collect(self) -> Iterable[Metric]:
        """Return every metric once, with the sum of all processes."""
        with settled(settings.METRICS_DIR):
            collector = MultiProcessCollector(None, path=str(settings.METRICS_DIR))
            yield from collector.collect()


@dataclass(frozen=True, eq=False)
class ClusterCollector:
    """Gauges of the whole deployment; a value is None if its server did not respond."""

    state: ClusterState | None
    queued: int | None

    def collect(self) -> Iterable[Metric]:
        """Return the gauges that do not belong to one process."""
        yield _gauge("chat_redis_up", "Whether Redis responds.", self.state is not None)
        yield _gauge("chat_broker_up", "Whether the broker responds.", self.queued is not None)
        if self.queued is not None:
            yield _gauge("chat_queue_tasks", "Tasks that no worker has received.", self.queued)
        if self.state is not None:
            yield _gauge(
                "chat_sessions_waiting", "Sessions with unanswered messages.", self.state.waiting
            )
            yield _gauge(
                "chat_sessions_overdue_seconds",
                "How late the sweep is for the oldest of them.",
                self.state.overdue_s,
            )
            yield _gauge("chat_workers", "Workers with a recent heartbeat.", len(self.state.alive))


async def export(accept: str) -> tuple[bytes, str]:
    """Return all metrics in a format that the `Accept` header allows, and its content type."""
    state, queued = await asyncio.gather(_cluster_state(), _queued_tasks())
    registry = _host_registry()
    registry.register(ClusterCollector(state, queued))
    encode, content_type = choose_encoder(accept)
    return await asyncio.to_thread(encode, registry), content_type


def serve(address: str) -> None:
    """Serve this host's metrics at `host:port` from a thread.

    If the port is in use, another worker of this host serves the same metrics there already.
    """
    host, _, port = address.rpartition(":")
    try:
        server = make_server(
            host, int(port), make_wsgi_app(_host_registry()), WSGIServer, QuietHandler
        )
    except OSError as error:
        logger.warning(
            "Metrics are not served at WORKER_METRICS_ADDRESS %s: %s", address, error.strerror
        )
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class QuietHandler(WSGIRequestHandler):
    """Does not log requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _host_registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HostCollector())
    return registry


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


async def _cluster_state() -> ClusterState | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await async_store().run(cluster.load())
    except Exception as error:  # noqa: BLE001 chat_redis_up reports it
        logger.debug("Cluster state not loaded: %s", type(error).__name__)
        return None


async def _queued_tasks() -> int | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.to_thread(queued_tasks)
    except Exception as error:  # noqa: BLE001 chat_broker_up reports it
        logger.debug("Queued tasks not counted: %s", type(error).__name__)
        return None


def queued_tasks() -> int:
    """Return how many tasks wait at the broker; raises the errors of its transport."""
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=TIMEOUT_S)
        channel: Any = connection.default_channel
        return int(channel.queue_declare(current_app.conf.task_default_queue).message_count)
