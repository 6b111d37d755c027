"""`/metrics` tells what all processes of a host did, with labels from closed lists."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from chat.errors import ErrorCode
from chat.observability import metrics
from tests.acceptance.service.conftest import Site, begin, converse
from tests.model_stub import failing
from tests.processes import wait_for

CHAT_V1: Any = ["chat.v1"]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(url: str) -> Samples:
    answer = requests.get(url, timeout=5)
    assert answer.ok, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def test_one_scrape_tells_what_web_processes_and_workers_did(site: Site) -> None:
    url = f"{site.stack.url}/metrics"
    before = scrape(url)
    token = begin(site.stack.url)
    converse(site.uvicorn.port, token, "hello")
    converse(site.stack.of("web")[0].port, token, "hello again")

    def more(name: str, **labels: str) -> float:
        return value(scrape(url), name, **labels) - value(before, name, **labels)

    wait_for(lambda: more("chat_replies_total", outcome="stop") == 2, "both replies to be counted")
    assert more("chat_messages_accepted_total") == 2
    assert more("chat_frames_received_total", type="message.send") == 2
    assert more("chat_handshakes_total", dialect="chat.v1", outcome="admitted") == 2
    assert more("chat_task_publish_duration_seconds_count") == 2
    for name in ("queue_seconds", "first_text_seconds", "duration_seconds"):
        assert more(f"chat_reply_{name}_count") == 2
    assert more("chat_model_call_duration_seconds_count") == 2
    assert more("chat_store_step_duration_seconds_count", step="commit") == 2
    assert more("chat_http_requests_total", method="POST", route="token", status="200") == 1


def test_open_sockets_are_counted_down_again(site: Site) -> None:
    url = f"{site.stack.url}/metrics"
    token = begin(site.stack.url)
    with connect(f"{site.stack.ws_url}?token={token}") as socket:
        wait_for(
            lambda: value(scrape(url), "chat_sockets_open", dialect="plain") == 1, "the socket"
        )
        socket.close()
    wait_for(
        lambda: value(scrape(url), "chat_sockets_open", dialect="plain") == 0, "the count to fall"
    )


def test_failures_carry_exactly_the_codes_of_the_protocol(site: Site) -> None:
    url = f"{site.stack.url}/metrics"
    site.model.script(failing(401))
    token = begin(site.stack.url)
    assert converse(site.uvicorn.port, token, "hello")[-1]["type"] == "reply.failed"
    assert converse(site.uvicorn.port, token, "  ")[-1]["code"] == "message.empty"
    requests.get(f"{site.stack.url}/refresh_token", params={"token": str(uuid4())}, timeout=5)

    def counted() -> bool:
        samples = scrape(url)
        return (
            value(samples, "chat_reply_failures_total", code="model.unauthorized") >= 1
            and value(samples, "chat_model_errors_total", code="model.unauthorized") >= 1
            and value(samples, "chat_errors_told_total", code="message.empty") >= 1
            and value(samples, "chat_errors_told_total", code="session.unknown") >= 1
        )

    wait_for(counted, "the failures to be counted")
    codes = {dict(labels)["code"] for _, labels in scrape(url) if "code" in dict(labels)}
    assert codes <= {code.value for code in ErrorCode}


def test_what_clients_send_is_no_label(site: Site) -> None:
    mark = f"mark{uuid4().hex}"
    requests.request(mark.upper(), f"{site.stack.url}/{mark}", params={mark: mark}, timeout=5)
    token = begin(site.stack.url, name=mark)
    converse(site.uvicorn.port, token, mark)
    with connect(f"{site.stack.ws_url}?token={token}", subprotocols=CHAT_V1) as socket:
        socket.recv(5)
        socket.send(json.dumps({"type": mark}))
        socket.recv(5)

    text = requests.get(f"{site.stack.url}/metrics", timeout=5).text
    assert mark not in text.lower()
    assert token not in text


def test_a_workers_own_port_tells_the_same(site: Site) -> None:
    converse(site.uvicorn.port, begin(site.stack.url), "hello")
    from_worker = scrape(site.worker_metrics)
    from_web = scrape(f"{site.stack.url}/metrics")

    wait_for(
        lambda: (
            value(scrape(site.worker_metrics), "chat_replies_total", outcome="stop")
            == value(scrape(f"{site.stack.url}/metrics"), "chat_replies_total", outcome="stop")
        ),
        "both to agree",
    )
    assert value(from_worker, "chat_worker_threads") == value(from_web, "chat_worker_threads") == 64


def test_a_killed_worker_leaves_its_counts_and_takes_its_gauges(site: Site) -> None:
    url = f"{site.stack.url}/metrics"
    second = site.stack.start_worker(WORKER_CONCURRENCY="7")
    wait_for(lambda: value(scrape(url), "chat_worker_threads") == 71, "the second worker")
    before = value(scrape(url), "chat_sweeps_total")

    second.kill()

    assert value(scrape(url), "chat_worker_threads") == 64
    assert value(scrape(url), "chat_sweeps_total") >= before


def test_the_service_as_a_whole_is_told_by_the_web(site: Site) -> None:
    samples = scrape(f"{site.stack.url}/metrics")
    assert value(samples, "chat_redis_up") == value(samples, "chat_broker_up") == 1
    assert value(samples, "chat_workers") >= 1
    for name in ("chat_queue_tasks", "chat_sessions_waiting", "chat_sessions_overdue_seconds"):
        assert (name, ()) in samples


def test_every_metric_has_a_unit_or_is_a_count(site: Site) -> None:
    families = text_string_to_metric_families(
        requests.get(f"{site.stack.url}/metrics", timeout=5).text
    )
    for family in families:
        assert family.name.startswith("chat_"), family.name
        assert family.documentation.endswith("."), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds"), family.name


def test_every_verb_of_the_recording_place_has_a_caller() -> None:
    chat = Path(metrics.__file__).parent.parent
    code = "".join(file.read_text() for file in chat.rglob("*.py") if file.name != "metrics.py")
    verbs = [
        name
        for name, one in vars(metrics).items()
        if callable(one) and getattr(one, "__module__", "") == metrics.__name__
    ]
    assert len(verbs) > 15
    assert [verb for verb in verbs if f"metrics.{verb}(" not in code] == []
