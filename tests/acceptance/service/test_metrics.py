"""`/metrics` adds up all processes of a host, with labels from closed lists."""

import json
import platform
from typing import Any
from uuid import uuid4

import requests
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from chat.errors import ErrorCode
from tests.acceptance.service.conftest import Site, send_and_receive
from tests.client import create_session
from tests.model_stub import failing
from tests.processes import wait_for

CHAT_V1: Any = ["chat.v1"]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(url: str) -> Samples:
    response = requests.get(url, timeout=5)
    assert response.ok, response.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def test_one_scrape_counts_the_work_of_web_processes_and_workers(site: Site) -> None:
    before = scrape(site.metrics)
    token = create_session(site.stack.url)
    send_and_receive(site.uvicorn.port, token, "hello")
    send_and_receive(site.stack.running("web")[0].port, token, "hello again")

    def increase(name: str, **labels: str) -> float:
        return value(scrape(site.metrics), name, **labels) - value(before, name, **labels)

    wait_for(
        lambda: increase("chat_replies_total", outcome="stop") == 2, "both replies to be counted"
    )
    assert increase("chat_messages_accepted_total") == 2
    assert increase("chat_frames_received_total", type="message.send") == 2
    assert increase("chat_handshakes_total", codec="chat.v1", outcome="accepted") == 2
    assert increase("chat_task_publish_duration_seconds_count") == 2
    for name in ("queue_seconds", "first_text_seconds", "duration_seconds"):
        assert increase(f"chat_reply_{name}_count") == 2
    assert increase("chat_model_call_duration_seconds_count") == 2
    assert increase("chat_store_command_duration_seconds_count", command="commit") == 2
    assert increase("chat_http_requests_total", method="POST", route="token", status="200") == 1


def test_a_closed_socket_is_no_longer_counted(site: Site) -> None:
    def sockets() -> float:
        return value(scrape(site.metrics), "chat_sockets_open", codec="plain")

    with connect(f"{site.stack.ws_url}?token={create_session(site.stack.url)}"):
        wait_for(lambda: sockets() == 1, "the socket to be counted")
    wait_for(lambda: sockets() == 0, "the count to fall")


def test_failures_are_counted_by_error_code(site: Site) -> None:
    site.model.script(failing(401))
    token = create_session(site.stack.url)
    assert send_and_receive(site.uvicorn.port, token, "hello")[-1]["type"] == "reply.failed"
    assert send_and_receive(site.uvicorn.port, token, "  ")[-1]["code"] == "message.empty"
    requests.get(f"{site.stack.url}/refresh_token", params={"token": str(uuid4())}, timeout=5)

    expected = {
        ("chat_reply_failures_total", "model.unauthorized"),
        ("chat_model_errors_total", "model.unauthorized"),
        ("chat_errors_sent_total", "message.empty"),
        ("chat_errors_sent_total", "session.unknown"),
    }

    def counted() -> set[tuple[str, str]]:
        samples = scrape(site.metrics)
        return {(name, dict(labels)["code"]) for name, labels in samples if "code" in dict(labels)}

    wait_for(lambda: expected <= counted(), "the failures to be counted")
    assert {code for _, code in counted()} <= {code.value for code in ErrorCode}


def test_input_of_clients_is_never_a_label(site: Site) -> None:
    marker = f"marker{uuid4().hex}"
    requests.request(
        marker.upper(), f"{site.stack.url}/{marker}", params={marker: marker}, timeout=5
    )
    token = create_session(site.stack.url, name=marker)
    send_and_receive(site.uvicorn.port, token, marker)
    with connect(f"{site.stack.ws_url}?token={token}", subprotocols=CHAT_V1) as socket:
        socket.recv(5)
        socket.send(json.dumps({"type": marker}))
        socket.recv(5)

    text = requests.get(site.metrics, timeout=5).text
    assert marker not in text.lower()
    assert token not in text


def test_a_worker_serves_the_same_metrics_on_its_own_port(site: Site) -> None:
    send_and_receive(site.uvicorn.port, create_session(site.stack.url), "hello")

    def replies(url: str) -> float:
        return value(scrape(url), "chat_replies_total", outcome="stop")

    wait_for(lambda: replies(site.worker_metrics) == replies(site.metrics) > 0, "both to agree")
    version = {"version": settings.VERSION, "python_version": platform.python_version()}
    for url in (site.worker_metrics, site.metrics):
        assert value(scrape(url), "chat_worker_slots") == 64
        assert value(scrape(url), "chat_build_info", **version) == 1


def test_a_killed_worker_keeps_its_counters_and_loses_its_gauges(site: Site) -> None:
    second = site.stack.start_worker(WORKER_CONCURRENCY="7")
    wait_for(lambda: value(scrape(site.metrics), "chat_worker_slots") == 71, "the second worker")
    before = value(scrape(site.metrics), "chat_sweeps_total")

    second.kill()

    after = scrape(site.metrics)
    assert value(after, "chat_worker_slots") == 64
    assert value(after, "chat_sweeps_total") >= before


def test_the_web_process_reports_the_state_of_the_cluster(site: Site) -> None:
    samples = scrape(site.metrics)
    assert value(samples, "chat_redis_up") == value(samples, "chat_broker_up") == 1
    assert value(samples, "chat_workers") >= 1
    for name in ("chat_queue_tasks", "chat_sessions_waiting", "chat_sessions_overdue_seconds"):
        assert (name, ()) in samples
