"""`make run`: one command starts the whole site, and one signal stops every process."""

import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from tests.conftest import NewStack
from tests.ports import can_listen_on, free_port
from tests.processes import (
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    Process,
    collected_static_files,
    wait_for,
)

RUN = "python manage.py runall"
Run = Callable[..., Process]


@pytest.fixture
def run(new_stack: NewStack) -> Run:
    """Start the runner with its own ports and files, the embedded Redis and the embedded model."""

    def start(**environment: str) -> Process:
        site = {
            "MODEL_URL": "",
            "EMBEDDED_MODEL_PORT": str(free_port()),
            "STATIC_ROOT": str(collected_static_files()),
        }
        return new_stack().run("run", RUN, site | environment)

    return start


def wait_until_started(runner: Process) -> None:
    address = f"Chat:  http://127.0.0.1:{runner.port}"
    runner.wait_until(lambda: address in runner.output(), "to print the address")


def process_tree(runner: Process) -> list[psutil.Process]:
    """Return the runner and every process it started."""
    process = psutil.Process(runner.pid)
    return [process, *process.children(recursive=True)]


def assert_everything_has_stopped(runner: Process, processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
    assert not alive, runner.output()
    for name in ("PORT", "EMBEDDED_REDIS_PORT", "EMBEDDED_MODEL_PORT"):
        port = int(runner.environment[name])
        wait_for(lambda port=port: can_listen_on(port), f"port {port} to be free")  # type: ignore[misc]


def test_the_site_responds_once_its_address_is_printed_and_ctrl_c_stops_it(
    run: Run, tmp_path: Path
) -> None:
    runner = run(STATIC_ROOT=str(tmp_path / "static"))
    wait_until_started(runner)
    site = f"http://127.0.0.1:{runner.port}"
    page = requests.get(f"{site}/", timeout=10)
    assert page.status_code == 200
    [script] = re.findall(r'src="(/static/[^"]+/app\.js)"', page.text)
    assert "immutable" in requests.get(f"{site}{script}", timeout=10).headers["Cache-Control"]
    assert requests.get(f"{site}/readyz", timeout=10).status_code == 200
    processes = process_tree(runner)
    programs = " ".join(" ".join(process.cmdline()) for process in processes)
    for program in ("valkey-server", "runmodel", "celery", "beat", "daphne"):
        assert program in programs

    os.kill(runner.pid, signal.SIGINT)

    assert runner.process.wait(STOP_TIMEOUT_S) == 128 + signal.SIGINT
    assert_everything_has_stopped(runner, processes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGKILL,
    ],
)
def test_no_process_outlives_a_runner_that_is_stopped_or_killed(
    run: Run, number: signal.Signals
) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/")
    wait_until_started(runner)
    processes = process_tree(runner)

    os.kill(runner.pid, number)

    runner.process.wait(STOP_TIMEOUT_S)
    assert_everything_has_stopped(runner, processes)


@pytest.mark.slow
def test_ctrl_c_during_start_up_stops_every_process(run: Run) -> None:
    runner = run()
    runner.wait_until(lambda: len(process_tree(runner)) > 2, "to start a first process")

    os.kill(runner.pid, signal.SIGINT)

    runner.process.wait(STOP_TIMEOUT_S)
    assert_everything_has_stopped(runner, [])


@pytest.mark.slow
def test_all_processes_stop_when_one_of_them_ends(run: Run) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/")
    wait_until_started(runner)
    processes = process_tree(runner)
    beat = next(each for each in processes if "beat" in each.cmdline())

    beat.kill()

    assert runner.process.wait(STOP_TIMEOUT_S) != 0
    assert_everything_has_stopped(runner, processes)


@pytest.mark.slow
def test_embedded_servers_do_not_run_beside_configured_ones(run: Run, redis_url: str) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/", REDIS_URL=redis_url)
    wait_until_started(runner)
    assert "redis started" not in runner.output()
    assert "model started" not in runner.output()


def test_a_start_up_error_is_reported_in_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        runner = run(PORT=str(other.getsockname()[1]))
        assert runner.process.wait(START_TIMEOUT_S) == 1
    assert runner.output().count("\n") == 1, runner.output()
    assert "Set PORT to another port." in runner.output()


def test_a_second_install_does_nothing(new_stack: NewStack) -> None:
    stack = new_stack()
    assert stack.run("install", "scripts/install.sh run", {}).process.wait(300) == 0
    again = stack.run("install", "scripts/install.sh run", {})
    assert again.process.wait(10) == 0
    assert again.output() == ""
