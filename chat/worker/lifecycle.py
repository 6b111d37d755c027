"""The lifecycle of a worker process: heartbeats, its metrics, and releasing its replies."""

import gc
import logging
import threading
from typing import Any

from celery import signals
from django.conf import settings

from chat.container import models, responder, slots, store, worker_name
from chat.errors import StoreUnavailable
from chat.events.queues import shared_queue, worker_queue
from chat.observability import metrics, open_files
from chat.observability.exporter import serve
from chat.store.operation import cluster
from chat.store.operation.endpoints import EndpointReport

logger = logging.getLogger(__name__)

HEARTBEAT_INTERVAL_S = 1.0  # below WORKER_SILENCE_MS of chat/store/timing.py


def connect_signals() -> None:
    """Connect to Celery's signals. They are sent only in worker processes."""
    signals.celeryd_after_setup.connect(consume_queues)
    signals.worker_ready.connect(start)
    signals.worker_shutting_down.connect(release_replies)


def consume_queues(instance: Any, **_: Any) -> None:
    """Let this worker also consume beat's tasks, and the tasks that are sent to it alone."""
    instance.app.amqp.queues.select_add(shared_queue(settings.SWEEP_QUEUE))
    instance.app.amqp.queues.select_add(shared_queue(settings.ERASURE_QUEUE))
    instance.app.amqp.queues.select_add(worker_queue(worker_name()))


def start(**_: Any) -> None:
    """Start the heartbeat and, if configured, the metrics' server."""
    open_files.warn_if_low()
    metrics.worker_slots.set(settings.WORKER_CONCURRENCY)
    if settings.WORKER_METRICS_ADDRESS:
        serve(settings.WORKER_METRICS_ADDRESS)
    threading.Thread(target=_send_heartbeats, name="heartbeat", daemon=True).start()
    # A full garbage collection would visit all that is loaded, and stop replies for 50 to 100 ms.
    gc.collect()
    gc.freeze()


def release_replies(**_: Any) -> None:
    """Hand unfinished replies back when this worker shuts down."""
    slots().stop()
    responder().release_all()


def _endpoint_reports() -> list[EndpointReport]:
    """Return what this worker knows of the models' endpoints, and set their metrics."""
    reports = []
    for state in models().states():
        metrics.model_endpoint_up.labels(state.model, state.endpoint).set(state.is_up)
        metrics.model_endpoint_requests.labels(state.model, state.endpoint).set(state.outstanding)
        reports.append(
            EndpointReport(
                model=state.model,
                endpoint=state.endpoint,
                is_up=state.is_up,
                requests=state.outstanding,
            )
        )
    return reports


def _send_heartbeats() -> None:
    # A thread of its own: among many workers, the sweep reaches each one too seldom.
    never = threading.Event()
    while True:
        try:
            command = cluster.heartbeat(
                worker_name(), free=slots().free, endpoints=_endpoint_reports()
            )
            store().run(command)
        except StoreUnavailable:
            logger.debug("Heartbeat failed: Redis does not respond")
        never.wait(HEARTBEAT_INTERVAL_S)
