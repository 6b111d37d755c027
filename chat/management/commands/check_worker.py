"""`manage.py check_worker`: check this host's workers, for a container's health check."""

import socket
import time
from argparse import ArgumentParser
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import KombuError

from chat.container import store
from chat.errors import StoreUnavailable
from chat.events.queues import worker_queue
from chat.observability.liveness import is_running
from chat.store.operation import cluster
from chat.tasks import health_probe

POLL_S = 0.05


class Command(BaseCommand):
    help = "Send a health probe to each worker of this host and wait for it to run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait")

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        try:
            workers = local_workers()
            if not workers:
                raise CommandError("No worker is running on this host.")
            give_up_at = time.monotonic() + timeout
            probes = {worker: send_probe(worker, timeout) for worker in workers}
            for worker, nonce in probes.items():
                wait_for_probe(worker, nonce, give_up_at)
                self.stdout.write(f"{worker} is healthy.")
        except StoreUnavailable as error:
            raise CommandError("Redis does not respond.") from error
        except (KombuError, OSError) as error:
            raise CommandError("The broker does not accept tasks.") from error


def local_workers() -> list[str]:
    """Return the workers of this host whose process is running, with a recent heartbeat or not."""
    return [name for name in store().run(cluster.load()).workers if is_local(name)]


def is_local(worker: str) -> bool:
    host, _, pid = worker.rpartition(":")
    return host == socket.gethostname() and pid.isdigit() and is_running(int(pid))


def send_probe(worker: str, timeout_s: float) -> str:
    nonce = uuid4().hex
    health_probe.apply_async((nonce,), queue=worker_queue(worker), expires=timeout_s)
    return nonce


def wait_for_probe(worker: str, nonce: str, give_up_at: float) -> None:
    while not store().run(cluster.health_probe_done(nonce)):
        if time.monotonic() > give_up_at:
            raise CommandError(f"{worker} did not run the health probe in time. Restart it.")
        time.sleep(POLL_S)
