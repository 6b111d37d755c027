"""`make run`: one command brings up the whole site, one signal ends it and nothing stays behind."""

import os
import signal
import socket
from collections.abc import Callable

import psutil
import pytest
import requests

from tests.conftest import NewStack
from tests.ports import can_listen_on, free_port
from tests.processes import END_TIMEOUT_S, START_TIMEOUT_S, Running, wait_for

RUN = "python manage.py runall"
Run = Callable[..., Running]


@pytest.fixture
def run(new_stack: NewStack) -> Run:
    """Start the runner on ports and files of its own, with the embedded Redis and model."""

    def start(**environment: str) -> Running:
        site = {"MODEL_URL": "", "EMBEDDED_MODEL_PORT": str(free_port())}
        return new_stack().run("run", RUN, site | environment)

    return start


def wait_until_announced(runner: Running) -> None:
    address = f"The chat is on http://127.0.0.1:{runner.port}"
    runner.wait_until(lambda: address in runner.text(), "to announce the site")


def family(runner: Running) -> list[psutil.Process]:
    """Return the runner and all that it started."""
    process = psutil.Process(runner.pid)
    return [process, *process.children(recursive=True)]


def assert_nothing_is_left(runner: Running, processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=END_TIMEOUT_S)
    assert not alive, runner.text()
    for name in ("PORT", "EMBEDDED_REDIS_PORT", "EMBEDDED_MODEL_PORT"):
        port = int(runner.environment[name])
        wait_for(lambda port=port: can_listen_on(port), f"port {port} to be free")  # type: ignore[misc]


def test_site_answers_when_its_address_is_shown_and_one_ctrl_c_ends_all(run: Run) -> None:
    runner = run()
    wait_until_announced(runner)
    site = f"http://127.0.0.1:{runner.port}"
    assert requests.get(f"{site}/", timeout=10).status_code == 200
    assert requests.get(f"{site}/readyz", timeout=10).status_code == 200
    processes = family(runner)
    programs = " ".join(" ".join(process.cmdline()) for process in processes)
    for program in ("valkey-server", "runmodel", "celery", "beat", "daphne"):
        assert program in programs

    os.kill(runner.pid, signal.SIGINT)

    assert runner.process.wait(END_TIMEOUT_S) == 128 + signal.SIGINT
    assert_nothing_is_left(runner, processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_outlives_a_runner_that_is_told_to_end_or_killed(
    run: Run, number: signal.Signals
) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/")
    wait_until_announced(runner)
    processes = family(runner)

    os.kill(runner.pid, number)

    runner.process.wait(END_TIMEOUT_S)
    assert_nothing_is_left(runner, processes)


def test_ctrl_c_while_the_processes_start_ends_them_too(run: Run) -> None:
    runner = run()
    runner.wait_until(lambda: len(family(runner)) > 2, "to start a first process")

    os.kill(runner.pid, signal.SIGINT)

    runner.process.wait(END_TIMEOUT_S)
    assert_nothing_is_left(runner, [])


def test_the_end_of_one_process_is_the_end_of_all(run: Run) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/")
    wait_until_announced(runner)
    processes = family(runner)
    beat = next(each for each in processes if "beat" in each.cmdline())

    beat.kill()

    assert runner.process.wait(END_TIMEOUT_S) != 0
    assert_nothing_is_left(runner, processes)


def test_no_embedded_servers_beside_named_ones(run: Run, redis_url: str) -> None:
    runner = run(MODEL_URL="http://127.0.0.1:9/", REDIS_URL=redis_url)
    wait_until_announced(runner)
    assert "redis started" not in runner.text()
    assert "model started" not in runner.text()


@pytest.mark.parametrize("variable", ["PORT", "EMBEDDED_REDIS_PORT", "EMBEDDED_MODEL_PORT"])
def test_a_used_port_is_one_sentence_that_says_what_to_change(run: Run, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        runner = run(**{variable: port})
        assert runner.process.wait(START_TIMEOUT_S) == 1
    assert runner.text().count("\n") == 1, runner.text()
    assert f"Port {port} cannot be used" in runner.text()
    assert runner.text().endswith(f"choose another with {variable}.\n")


def test_a_second_install_does_nothing(new_stack: NewStack) -> None:
    stack = new_stack()
    assert stack.run("install", "scripts/install.sh run", {}).process.wait(300) == 0
    again = stack.run("install", "scripts/install.sh run", {})
    assert again.process.wait(10) == 0
    assert again.text() == ""
