"""`manage.py doctor` with a healthy deployment, with a faulty one, and with no servers."""

import subprocess
from collections.abc import Iterator

import pytest
import redis

from tests.acceptance.service.production import Deployment
from tests.conftest import NewStack
from tests.model_stub import Behaviour, failing
from tests.ports import free_port
from tests.processes import Stack

MODEL = "EleutherAI/gpt-j-6b"
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
def restore_proxy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Restore the deployment's proxy after the test."""
    if "deployment" not in request.fixturenames:
        yield
        return
    deployment: Deployment = request.getfixturevalue("deployment")
    port = deployment.port
    yield
    deployment.port = port
    for later in deployment.stack.running("nginx")[1:]:
        later.stop()


def test_a_healthy_deployment_has_no_failures(deployment: Deployment) -> None:
    deployment.model.script(STORY)
    deployment.model.describe("/info", {"model_id": MODEL, "max_total_tokens": 2048})
    code, report = doctor(deployment.stack, "--url", deployment.url, "--idle", "4")
    assert code == 0, report
    assert report.endswith("\n0 failures, 2 warnings\n")
    assert "its user may run every command" in report
    assert "warn The admin's users are stored in SQLite" in report
    for line in (
        "Redis keeps an append-only file",
        "The JSON module is loaded",
        "The channel layer delivers events",
        "1 worker running",
        "The WebSocket opens",
        "The reply streams in",
        "A WebSocket stays open while idle for 4 s",
        "The model server serves EleutherAI/gpt-j-6b",
        "The model server accepts 2048 tokens",
        "...  Waiting up to ",
        "...  Leaving the WebSocket idle for 4 s",
    ):
        assert line in report, report


@pytest.mark.slow
def test_each_fault_is_reported_with_advice(deployment: Deployment) -> None:
    stack = deployment.stack
    deployment.port = free_port()
    deployment.start_nginx({"120s": "500ms"})
    deployment.model.script(failing(401))
    deployment.model.describe("/info", {"model_id": MODEL, "max_total_tokens": 1024})
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
        "Set MODEL_CONTEXT_TOKENS=1024",
        "Raise the proxy's read timeout",
    ):
        assert f"-> {advice}" in report, report
    assert "\n5 failures, " in report, report


@pytest.mark.slow
def test_every_unreachable_part_is_reported(new_stack: NewStack) -> None:
    unreachable = f"redis://:secret@127.0.0.1:{free_port()}/0"
    stack = new_stack(REDIS_URL=unreachable)
    code, report = doctor(stack, "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    for part in (
        "REDIS_URL",
        "broker",
        "channel layer",
        "Redis does not accept writes",
        "does not respond",
    ):
        assert part in report, report
    assert "secret" not in report


def test_an_invalid_setting_is_reported_in_one_line(new_stack: NewStack) -> None:
    code, report = doctor(new_stack(REPLY_DEADLINE_S="soon"))
    assert code == 1
    assert "REPLY_DEADLINE_S" in report
    assert report.count("\n") == 1
