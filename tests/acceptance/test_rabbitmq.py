"""A site whose tasks go through RabbitMQ; sessions and events stay in Redis."""

import re
import subprocess
import time

import pytest
import requests

from chat.observability.health import ACCEPTS_NOTHING
from tests.acceptance.sockets import connect_chat_v1
from tests.client import create_session
from tests.conftest import NewStack
from tests.processes import ROOT, Stack, wait_for
from tests.rabbitmq import RabbitMQ

pytestmark = pytest.mark.slow

TOLD_WITHIN_S = 2
# Control messages are for a worker that runs, so Celery does not keep them.
CLASSIC = "celery.pidbox"


@pytest.fixture
def site(new_stack: NewStack, rabbitmq: RabbitMQ) -> Stack:
    stack = new_stack(CELERY_BROKER_URL=rabbitmq.url)
    stack.start()
    wait_for(lambda: checks(stack)["sweep"] == "ok", "the sweep")
    return stack


def checks(stack: Stack) -> dict[str, str]:
    return dict(requests.get(f"{stack.url}/readyz", timeout=10).json()["checks"])


def manage(stack: Stack, *arguments: str) -> str:
    return subprocess.run(
        ["python", "manage.py", *arguments],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout


def test_messages_are_answered_through_quorum_queues(site: Stack, rabbitmq: RabbitMQ) -> None:
    for name, web in site.start_both_servers().items():
        token = create_session(f"http://127.0.0.1:{web.port}")
        with connect_chat_v1(site, token) as socket:
            messages = [socket.send_message(f"{name} {number}") for number in range(5)]
            replies = [socket.wait_for_reply(message)["msg"] for message in messages]
        assert replies == [f"You said: {name} {number}" for number in range(5)]
    assert set(checks(site).values()) == {"ok"}
    quorum = {name for name, type_ in rabbitmq.queues().items() if type_ == "quorum"}
    assert {name for name in rabbitmq.queues() if CLASSIC not in name} == quorum
    worker = next(name for name in quorum if name.startswith("worker."))
    assert quorum == {"chat:tasks", "chat:sweep", "chat:erasure", worker}
    metrics = requests.get(f"{site.url}/metrics", timeout=10).text
    assert "chat_broker_up 1.0" in metrics
    assert "chat_queue_tasks 0.0" in metrics
    assert manage(site, "check_worker").endswith(" is healthy.\n")
    found = manage(site, "doctor", "--idle", "0")
    address = f"127.0.0.1:{rabbitmq.port}"
    assert re.search(rf"ok   CELERY_BROKER_URL: RabbitMQ \S+ at {address} responds", found)
    assert "ok   The broker responds; 0 tasks queued" in found
    for process in site.processes:
        assert "Traceback" not in process.output()
        assert "guest" not in process.output(), "the password"


def test_a_message_is_answered_after_rabbitmq_was_full(site: Stack, rabbitmq: RabbitMQ) -> None:
    with connect_chat_v1(site, create_session(site.url)) as socket:
        socket.wait_for_reply(socket.send_message("before"))
        rabbitmq.fill_memory()
        try:
            sent_at = time.monotonic()
            message = socket.send_message("meanwhile")
            error = socket.wait_for_frame("error")
            assert (error["code"], error["ref"]) == ("queue.unavailable", message)
            assert time.monotonic() - sent_at < TOLD_WITHIN_S
            assert checks(site)["broker"] == ACCEPTS_NOTHING
            assert "accepts no messages" in manage(site, "doctor", "--idle", "0")
        finally:
            rabbitmq.free_memory()
        assert socket.wait_for_reply(message)["msg"] == "You said: meanwhile"
        socket.send_frame("session.sync", after=0)
        ready = socket.wait_for_frame("session.ready")
    texts = [message["msg"] for message in ready["messages"]]
    assert texts == ["before", "You said: before", "meanwhile", "You said: meanwhile"]
