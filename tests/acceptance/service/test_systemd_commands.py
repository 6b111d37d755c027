"""The commands of the systemd units start, serve, and stop within the units' time."""

import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.service.production import Deployment
from tests.ports import free_port
from tests.processes import Process
from tests.systemd_units import commands, setting

pytestmark = pytest.mark.slow


def run(deployment: Deployment, unit: str, instance: str = "") -> Process:
    """Start the last command of a unit."""
    return deployment.stack.run(unit, commands(unit, instance)[-1], {})


def stop(process: Process) -> None:
    """Stop a process as systemd does: SIGTERM to the main process alone."""
    limit_s = int(setting(f"{process.name}.service", "Service", "TimeoutStopSec"))
    process.process.send_signal(signal.SIGTERM)
    # uvicorn sends the signal to itself again when it is done, which systemd regards as success.
    assert process.process.wait(limit_s) in {0, -signal.SIGTERM}, process.output()


def test_a_web_service_serves_and_stops(deployment: Deployment) -> None:
    port = free_port()
    web = run(deployment, "chat-web@", str(port))
    web.environment["PORT"] = str(port)
    deployment.wait_until_ready(web)
    stop(web)


def test_a_worker_and_beat_start_and_stop(deployment: Deployment) -> None:
    worker, beat = run(deployment, "chat-worker@", "7"), run(deployment, "chat-beat")
    worker.wait_until(lambda: re.search(r"worker-7@\S+ ready\.", worker.output()), "to be ready")
    assert beat.is_alive(), beat.output()
    stop(worker)
    stop(beat)


def test_the_database_is_prepared_and_backed_up(deployment: Deployment, tmp_path: Path) -> None:
    for command in [*commands("chat-prepare"), *commands("chat-backup")]:
        process = deployment.stack.run("once", command.replace("/var/lib", str(tmp_path)), {})
        assert process.process.wait(60) == 0, process.output()
    assert list(tmp_path.glob("chat-backup/*/database.sqlite3"))
