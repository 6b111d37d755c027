"""`manage.py doctor` on a deployment that is well, and on one that is ill in many ways."""

import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
import redis

from tests.acceptance.service.production import Deployment
from tests.conftest import NewStack
from tests.model_stub import Behaviour, failing
from tests.ports import free_port
from tests.processes import Stack

STORY = Behaviour(pieces=tuple(f"word{n} " for n in range(10)), piece_delay_s=0.1)


def doctor(stack: Stack, *options: str) -> tuple[int, str]:
    process = subprocess.run(
        ["python", "manage.py", "doctor", "--no-color", *options],
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in process.stdout, process.stdout
    return process.returncode, process.stdout


@pytest.fixture(autouse=True)
def first_proxy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the deployment with the proxy it had."""
    if "deployment" not in request.fixturenames:
        yield
        return
    deployment: Deployment = request.getfixturevalue("deployment")
    port = deployment.port
    yield
    deployment.port = port
    for later in deployment.stack.of("nginx")[1:]:
        later.end()


def test_a_healthy_deployment_gets_a_clean_bill(deployment: Deployment) -> None:
    deployment.model.script(STORY)
    code, report = doctor(deployment.stack, "--url", deployment.url, "--idle", "4")
    assert code == 0, report
    assert "\n0 failures, " in report
    assert "warn The admin's users are in SQLite" in report
    for line in (
        "Redis keeps an append-only file",
        "JSON documents are there",
        "Events come back through the channel layer",
        "Workers alive: 1",
        "The WebSocket opens",
        "The reply arrives as it is written",
        "A socket that was silent for 4 s still works",
        "no visibility time-out is at work",
    ):
        assert f"{line}" in report, report


def test_each_fault_is_a_line_that_says_what_to_change(deployment: Deployment) -> None:
    stack = deployment.stack
    deployment.port = free_port()
    deployment.start_nginx({"120s": "500ms"})
    deployment.model.script(failing(401))
    with redis.Redis.from_url(stack.redis_url) as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")
        code, report = doctor(stack, "--url", deployment.url, "--idle", "3")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
    assert code == 1, report
    for advice in (
        "Set: appendonly yes",
        "Set: maxmemory-policy noeviction",
        "Correct HUGGINGFACE_INFERENCE_TOKEN",
        "Raise the proxy's read time-out",
    ):
        assert f"-> {advice}" in report, report
    assert "3 failures" not in report
    assert "4 failures" in report


def test_a_proxy_without_upgrade_is_found(deployment: Deployment) -> None:
    deployment.port = free_port()
    deployment.start_nginx({"proxy_set_header Upgrade $http_upgrade;": ""})
    code, report = doctor(deployment.stack, "--url", deployment.url)
    assert code == 1
    assert "-> Let the proxy pass on Upgrade and Connection" in report, report


def test_a_proxy_that_holds_frames_back_is_found(deployment: Deployment) -> None:
    deployment.model.script(STORY)
    with HoardingProxy(deployment.webs[0].port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        code, report = doctor(deployment.stack, "--url", url, "--idle", "0")
    assert code == 1
    assert "-> Turn buffering off in the proxy" in report, report


def test_where_nothing_runs_every_part_is_named(new_stack: NewStack) -> None:
    nowhere = f"redis://:secret@127.0.0.1:{free_port()}/0"
    stack = new_stack(REDIS_URL=nowhere)
    code, report = doctor(stack, "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    for part in ("REDIS_URL", "broker", "channel layer", "Redis does not take", "Nothing answers"):
        assert part in report, report
    assert "secret" not in report


def test_a_setting_that_stops_the_start_is_one_sentence(new_stack: NewStack) -> None:
    code, report = doctor(new_stack(REPLY_DEADLINE_S="soon"))
    assert code == 1
    assert "REPLY_DEADLINE_S" in report
    assert report.count("\n") == 1


class HoardingProxy:
    """Hands a reply's frames on when the last one is there."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> "HoardingProxy":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        held = b""
        with source, target:
            try:
                while chunk := source.recv(65536):
                    held += chunk
                    if b"reply.started" in held and b"reply.completed" not in held:
                        continue
                    target.sendall(held)
                    held = b""
                target.shutdown(socket.SHUT_WR)
            except OSError:
                return
