"""`manage.py check_worker`: do this host's workers work? For a container's health check."""

import os
import socket
import time
from argparse import ArgumentParser
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import KombuError

from chat.container import store
from chat.errors import StoreUnavailable
from chat.store import cluster
from chat.tasks import prove
from chat.worker.queues import own_queue

POLL_S = 0.05


class Command(BaseCommand):
    help = "Send each worker of this host a task of its own and wait until it has done it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the time to wait."""
        parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait")

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Say which workers work; fail where one does not, or none is there."""
        try:
            workers = workers_here()
            if not workers:
                raise CommandError("No worker of this host has given a sign of life.")
            give_up_at = time.monotonic() + timeout
            nonces = {worker: send_proof(worker, timeout) for worker in workers}
            for worker, nonce in nonces.items():
                self.stdout.write(judge(worker, nonce, give_up_at))
        except StoreUnavailable as error:
            raise CommandError("Redis does not answer.") from error
        except (KombuError, OSError) as error:
            raise CommandError("The broker takes no task.") from error


def workers_here() -> list[str]:
    """Return the workers of this host whose process exists, silent or not."""
    names = store().run(cluster.load()).workers
    return [name for name in names if _is_here(*name.rsplit(":", 1))]


def send_proof(worker: str, timeout_s: float) -> str:
    nonce = uuid4().hex
    prove.apply_async((nonce,), queue=own_queue(worker), expires=timeout_s)
    return nonce


def judge(worker: str, nonce: str, give_up_at: float) -> str:
    """Return a sentence on a worker that works; raises CommandError."""
    while not store().run(cluster.health_probe_done(nonce)):
        if time.monotonic() > give_up_at:
            raise CommandError(f"{worker} did not do its task in time: restart it.")
        time.sleep(POLL_S)
    return f"{worker} works."


def _is_here(host: str, pid: str) -> bool:
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
