"""The Prometheus exporter: metrics of all processes of this host, and the cluster state.

The web process serves them at `/metrics`; a worker on a host without a web process at
`WORKER_METRICS_ADDRESS`. The cluster state is the same on all hosts: only web processes export it.
"""

import asyncio
import logging
import platform
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from chat.container import async_store
from chat.events.queues import queued_tasks
from chat.observability.metric_files import merged
from chat.store.operation import cluster
from chat.store.operation.cluster import ClusterState

logger = logging.getLogger(__name__)

TIMEOUT_S = 3


class HostCollector:
    """Adds up the files of this host's processes."""

    def collect(self) -> Iterable[Metric]:
        """Return every metric once, with the sum of all processes."""
        with merged(settings.METRICS_DIR):
            collector = MultiProcessCollector(None, path=str(settings.METRICS_DIR))
            yield from collector.collect()


class BuildCollector:
    """Exports which version runs. All processes of a host run the same."""

    def collect(self) -> Iterable[Metric]:
        """Return the info metric, whose value is always 1."""
        labels = {"version": settings.VERSION, "python_version": platform.python_version()}
        yield InfoMetricFamily("chat_build", "The version of the chat server.", value=labels)


@dataclass(frozen=True, eq=False)
class ClusterCollector:
    """Exports the cluster state; None if Redis or the broker did not respond."""

    state: ClusterState | None
    queued: int | None

    def collect(self) -> Iterable[Metric]:
        """Return the gauges that do not belong to one process."""
        yield _gauge("chat_redis_up", "Whether Redis responds.", self.state is not None)
        yield _gauge("chat_broker_up", "Whether the broker responds.", self.queued is not None)
        if self.queued is not None:
            yield _gauge("chat_queue_tasks", "Tasks that no worker has taken.", self.queued)
        if self.state is not None:
            yield _gauge(
                "chat_sessions_waiting", "Sessions with unanswered messages.", self.state.waiting
            )
            yield _gauge(
                "chat_sessions_overdue_seconds",
                "How long the sweep is overdue for the oldest of them.",
                self.state.overdue_s,
            )
            yield _gauge(
                "chat_operator_requests_waiting",
                "Visitors who ask for a person.",
                self.state.operator_requests,
            )
            yield _gauge(
                "chat_sessions_with_operator",
                "Sessions that a person answers.",
                self.state.operators,
            )
            yield _gauge(
                "chat_operators_on_duty",
                "Operators' pages that wait for requests.",
                self.state.operators_on_duty,
            )
            yield _gauge(
                "chat_redis_deletion_age_seconds",
                "Age of the oldest deletion whose text is still in Redis' files.",
                self.state.deletion_age_s,
            )
            if memory := self.state.memory:
                yield _gauge("chat_redis_memory_used_bytes", "Used memory of Redis.", memory.used)
                yield _gauge("chat_redis_memory_max_bytes", "Redis' maxmemory.", memory.limit)
            yield _gauge("chat_workers", "Workers with recent heartbeats.", len(self.state.alive))


async def scrape(request: HttpRequest) -> HttpResponse:
    """Respond to a scrape, also while Redis or the broker do not respond."""
    state, queued = await asyncio.gather(_cluster_state(), _queued_tasks())
    registry = _registry()
    registry.register(ClusterCollector(state, queued))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    text = await asyncio.to_thread(encode, registry)
    return HttpResponse(text, content_type=content_type)


def serve(address: str) -> None:
    """Serve scrapes at `host:port` from a thread, unless another worker already uses the port."""
    host, _, port = address.rpartition(":")
    try:
        server = make_server(host, int(port), make_wsgi_app(_registry()), WSGIServer, QuietHandler)
    except OSError as error:
        logger.warning("Cannot serve metrics at %s: %s", address, error.strerror)
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class QuietHandler(WSGIRequestHandler):
    """Logs no scrapes."""

    def log_message(self, format: str, *args: object) -> None:
        """Do nothing."""


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HostCollector())
    registry.register(BuildCollector())
    return registry


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


async def _cluster_state() -> ClusterState | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await async_store().run(cluster.load())
    except Exception as error:  # noqa: BLE001 the scrape itself reports that Redis is down
        logger.debug("The cluster state could not be loaded: %s", type(error).__name__)
        return None


async def _queued_tasks() -> int | None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.to_thread(queued_tasks)
    except Exception as error:  # noqa: BLE001 the scrape itself reports that the broker is down
        logger.debug("The queue's length could not be loaded: %s", type(error).__name__)
        return None
