"""What Prometheus reads: the metrics of all processes of this host, and the service's state.

The web process answers at `/metrics`; a worker on a host without one has a port for it
(`WORKER_METRICS_ADDRESS`). The service's state is the same for all hosts, so only the web tells it.
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
from django.http import HttpRequest, HttpResponse
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
    """Adds up the files of this host's processes."""

    def collect(self) -> Iterable[Metric]:
        """Return every metric once, with the sum of all processes."""
        with settled(settings.METRICS_DIR):
            collector = MultiProcessCollector(None, path=str(settings.METRICS_DIR))
            yield from collector.collect()


@dataclass(frozen=True, eq=False)
class ClusterCollector:
    """The service as Redis has it; None where a server did not answer."""

    service: ClusterState | None
    queued: int | None

    def collect(self) -> Iterable[Metric]:
        """Return the gauges that do not belong to one process."""
        yield _gauge("chat_redis_up", "Whether Redis answered the web.", self.service is not None)
        yield _gauge("chat_broker_up", "Whether the broker answered.", self.queued is not None)
        if self.queued is not None:
            yield _gauge("chat_queue_tasks", "Tasks no worker has taken.", self.queued)
        if self.service is not None:
            yield _gauge(
                "chat_sessions_waiting", "Sessions with unanswered messages.", self.service.waiting
            )
            yield _gauge(
                "chat_sessions_overdue_seconds",
                "How long ago the sweep should have looked at the oldest of them.",
                self.service.overdue_s,
            )
            yield _gauge(
                "chat_workers", "Workers with a recent sign of life.", len(self.service.alive)
            )


async def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape, also while Redis or the broker do not."""
    service, queued = await asyncio.gather(_service(), _queued())
    registry = _registry()
    registry.register(ClusterCollector(service, queued))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    text = await asyncio.to_thread(encode, registry)
    return HttpResponse(text, content_type=content_type)


def serve(address: str) -> None:
    """Answer scrapes at `host:port` from a thread; where the port is used another worker does."""
    host, _, port = address.rpartition(":")
    try:
        server = make_server(host, int(port), make_wsgi_app(_registry()), WSGIServer, QuietHandler)
    except OSError as error:
        logger.warning("No metrics at WORKER_METRICS_ADDRESS %s: %s", address, error.strerror)
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each scrape."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HostCollector())
    return registry


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


async def _service() -> ClusterState | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await async_store().run(cluster.load())
    except Exception as error:  # noqa: BLE001 what is wrong with Redis is what the scrape tells
        logger.debug("No state of the service: %s", type(error).__name__)
        return None


async def _queued() -> int | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.to_thread(queued_tasks)
    except Exception as error:  # noqa: BLE001 the same of the broker
        logger.debug("No state of the queue: %s", type(error).__name__)
        return None


def queued_tasks() -> int:
    """Return how many tasks wait at the broker; raises what its transport raises."""
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=TIMEOUT_S)
        channel: Any = connection.default_channel
        return int(channel.queue_declare(current_app.conf.task_default_queue).message_count)
