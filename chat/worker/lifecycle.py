"""The life of a worker process: signs of life, its metrics' address, and giving back at the end."""

import logging
import threading
from typing import Any

from celery import signals
from django.conf import settings

from chat.container import responder, slots, store, worker_name
from chat.errors import StoreUnavailable
from chat.observability import metrics
from chat.store import cluster
from chat.worker.queues import own_queue
from chat.worker.slots import Slots

logger = logging.getLogger(__name__)

PULSE_INTERVAL_S = 2.0


def listen() -> None:
    """Connect to Celery's signals; processes that are no workers get none of them."""
    signals.celeryd_after_setup.connect(listen_to_own_queue)
    signals.worker_ready.connect(begin)
    signals.worker_shutting_down.connect(hand_over)


def listen_to_own_queue(instance: Any, **_: Any) -> None:
    """Let this worker take tasks that are sent to it alone."""
    instance.app.amqp.queues.select_add(own_queue(worker_name()))


def begin(**_: Any) -> None:
    """Show that this worker is there, for as long as it is."""
    # Imported late: they ask for the Celery app, which is not there when this module is loaded.
    from chat.observability.exporter import serve

    metrics.worker_slots.set(settings.WORKER_CONCURRENCY)
    if settings.WORKER_METRICS_ADDRESS:
        serve(settings.WORKER_METRICS_ADDRESS)
    threading.Thread(target=_pulse, args=[slots()], name="pulse", daemon=True).start()


def hand_over(**_: Any) -> None:
    """Give unfinished replies back when this worker is told to go."""
    responder().hand_over()


def _pulse(slots: Slots) -> None:
    waiting = threading.Event()
    while True:
        try:
            store().run(cluster.heartbeat(worker_name(), free=slots.free))
        except StoreUnavailable:
            logger.debug("No sign of life could be given")
        waiting.wait(PULSE_INTERVAL_S)
