"""What health checks report while parts of the site are unhealthy."""

import signal
import socket
import subprocess

import pytest
import redis
import requests
from websockets.sync.client import connect

from tests.acceptance.service.conftest import Site
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack, wait_for


def readiness(stack: Stack, user: str | None = None) -> tuple[int, dict[str, str]]:
    response = requests.get(f"{stack.url}/readyz", params={"for": user}, timeout=15)
    return response.status_code, response.json()["checks"]


def check_worker(stack: Stack, *options: str, **environment: str) -> tuple[int, str]:
    process = subprocess.run(
        ["python", "manage.py", "check_worker", *options],
        env=stack.environment | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return process.returncode, process.stdout + process.stderr


def test_a_healthy_site_is_reported_healthy(site: Site) -> None:
    wait_for(lambda: readiness(site.stack)[0] == 200, "readiness")
    assert set(readiness(site.stack)[1].values()) == {"ok"}
    code, output = check_worker(site.stack)
    assert code == 0, output
    assert output.count(" is healthy.") == len(site.stack.running("worker"))


@pytest.mark.slow
def test_a_worker_that_hangs_fails_its_check(site: Site) -> None:
    worker = site.stack.start_worker()
    name = f"{socket.gethostname()}:{worker.pid}"
    with redis.Redis.from_url(site.stack.redis_url) as client:
        wait_for(lambda: client.zscore("chat:workers", name), "its heartbeat")
    worker.send(signal.SIGSTOP)
    code, output = check_worker(site.stack, "--timeout", "2")
    worker.send(signal.SIGCONT)
    worker.kill()

    assert code == 1
    assert f":{worker.pid} did not run the health probe in time" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_each_unhealthy_part_is_reported(new_stack: NewStack, model_stub: ModelStub) -> None:
    stack = new_stack(WORKER_CONCURRENCY="1")
    stack.start()
    wait_for(lambda: set(readiness(stack)[1].values()) == {"ok"}, "every part to be healthy")

    def wait_for_failure(part: str) -> str:
        wait_for(lambda: readiness(stack)[1][part] != "ok", f"{part} to be unhealthy")
        return readiness(stack)[1][part]

    token = create_session(stack.url)
    model_stub.script(Behaviour(hang_after=1))
    with connect(f"{stack.ws_url}?token={token}") as visitor:
        visitor.send("hello")
        wait_for(
            lambda: (
                "chat_replies_in_progress 1.0"
                in requests.get(f"{stack.url}/metrics", timeout=5).text
            ),
            "a reply in progress",
        )
        code, output = check_worker(stack, "--timeout", "1")
    assert (code, " is healthy." in output) == (0, True), "a busy worker is healthy"

    stack.running("beat")[0].kill()
    stack.running("worker")[0].kill()
    assert "no heartbeat" in wait_for_failure("worker")
    assert readiness(stack)[0] == 503
    assert readiness(stack, "web") == (200, {"redis": "ok"}), "the page needs no worker"
    code, output = check_worker(stack)
    assert (code, "No worker is running on this host" in output) == (1, True)

    stack.start_worker()
    wait_for(lambda: readiness(stack)[1]["worker"] == "ok", "the worker's heartbeat")
    assert "is beat running?" in wait_for_failure("sweep")
    assert "overdue for" in wait_for_failure("messages"), "the killed worker's message waits"
    assert readiness(stack)[0] == 503
    stack.start_beat()
    wait_for(lambda: readiness(stack)[0] == 200, "the sweep to find the message")

    with redis.Redis.from_url(stack.redis_url) as client:
        client.config_set("maxmemory", "1mb")
        assert "refuses writes" in wait_for_failure("redis")
        assert readiness(stack)[0] == 503
        assert readiness(stack, "web")[0] == 200, "histories can be shown"
        client.config_set("maxmemory", "0")
        wait_for(lambda: readiness(stack)[1]["redis"] == "ok", "Redis to recover")
        assert readiness(stack)[1]["layer"] == "ok"

    stack.running("redis")[0].send(signal.SIGSTOP)
    assert set(readiness(stack)[1].values()) == {"unreachable"}
    assert readiness(stack, "web") == (503, {"redis": "unreachable"})
    assert "chat_redis_up 0.0" in requests.get(f"{stack.url}/metrics", timeout=15).text
    code, output = check_worker(stack)
    assert (code, "Redis does not respond" in output) == (1, True)
    stack.running("redis")[0].send(signal.SIGCONT)
    wait_for(lambda: readiness(stack)[1]["layer"] == "ok", "the layer to recover")
