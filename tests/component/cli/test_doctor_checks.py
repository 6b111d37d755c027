"""The doctor's checks, with canned replies of Redis, HTTP and the WebSocket."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest
import requests
from django.test import override_settings
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from chat.cli.doctor import components, conversation, redis_servers, site
from chat.cli.doctor.conversation import Outcome, check_outcome, check_socket
from chat.cli.doctor.findings import Finding, Level, count, run_check
from chat.store.client import Store
from chat.store.operation import cluster
from chat.store.operation.cluster import ClusterState
from chat.store.operation.erasure import Erasure
from chat.store.operation.erasure import Outcome as RewriteOutcome
from tests.ports import free_port

REMOTE = "redis://chat.example:6379/0"
HEALTHY_INFO: dict[str, Any] = {
    "role": "master",
    "modules": [{"name": "ReJSON"}, {"name": "search"}],
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory_policy": "noeviction",
    "maxmemory": 1000,
    "used_memory": 100,
    "connected_clients": 10,
    "maxclients": 100,
}


def problems(findings: Iterable[Finding]) -> list[tuple[Level, str]]:
    """Return the levels and advice of the warnings and failures."""
    bad = (Level.WARNING, Level.FAILURE)
    return [(each.level, each.advice) for each in findings if each.level in bad]


@pytest.mark.parametrize(
    ("changed", "level", "advice"),
    [
        ({"role": "slave"}, Level.FAILURE, "primary"),
        ({"cluster_enabled": 1}, Level.FAILURE, "without cluster mode"),
        ({"modules": [{"name": "search"}]}, Level.FAILURE, "Run Redis 8 or newer"),
        ({"modules": [{"name": "json"}]}, Level.WARNING, "Run Redis 8 or newer"),
        ({"aof_enabled": 0}, Level.FAILURE, "appendonly yes"),
        ({"aof_last_write_status": "err"}, Level.FAILURE, "disk is full"),
        ({"maxmemory_policy": "allkeys-lru"}, Level.FAILURE, "noeviction"),
        ({"used_memory": 950}, Level.WARNING, "Raise maxmemory,"),
        ({"connected_clients": 95}, Level.WARNING, "Raise maxclients"),
    ],
)
def test_each_misconfiguration_of_redis_is_found(
    changed: dict[str, Any], level: Level, advice: str
) -> None:
    def check(info: dict[str, Any]) -> list[tuple[Level, str]]:
        url = "redis://:secret@chat.example:6379/0"
        findings = [
            *redis_servers.check_connection("REDIS_URL", url, info, 0.001),
            *redis_servers.check_modules(info),
            *redis_servers.check_persistence(info),
            *redis_servers.check_capacity(info),
        ]
        return problems(findings)

    assert check(HEALTHY_INFO) == []
    [(found, text)] = check(HEALTHY_INFO | changed)
    assert found is level
    assert advice in text


@pytest.mark.parametrize(
    ("url", "latency_s", "advice"),
    [
        (REMOTE, 0.001, "requirepass"),
        ("redis://:secret@chat.example:6379/0", 0.02, "Run Redis close to"),
    ],
)
def test_a_slow_or_open_redis_is_a_warning(url: str, latency_s: float, advice: str) -> None:
    findings = redis_servers.check_connection("REDIS_URL", url, HEALTHY_INFO, latency_s)
    [(level, text)] = problems(findings)
    assert level is Level.WARNING
    assert advice in text


def test_a_server_is_checked_once_under_all_its_names(redis_url: str) -> None:
    with override_settings(
        REDIS_URL=redis_url, CELERY_BROKER_URL=redis_url, CHANNEL_REDIS_URL=redis_url
    ):
        findings = list(redis_servers.check_servers())
    assert findings[0].text.startswith("REDIS_URL and CELERY_BROKER_URL and CHANNEL_REDIS_URL: ")
    assert [one for one in findings if one.level is Level.FAILURE] == []


def test_an_unreachable_redis_is_reported_without_its_password() -> None:
    port = free_port()
    url = f"redis://:secret@127.0.0.1:{port}/0"
    [finding] = redis_servers.check_server(url, ["REDIS_URL"])
    assert finding.text == f"REDIS_URL: 127.0.0.1:{port} does not respond (ConnectionError)"


@pytest.mark.parametrize(
    ("rules", "level", "text"),
    [
        (None, Level.OK, "may run only some commands"),
        ("+@all", Level.WARNING, "may run every command"),
        ("-@all +get +acl", Level.WARNING, "may run commands that change users"),
    ],
)
def test_a_user_that_may_run_too_much_is_found(rules: str | None, level: Level, text: str) -> None:
    [finding] = redis_servers.check_rules("REDIS_URL", rules)
    assert finding.level is level
    assert text in finding.text


def test_the_default_user_of_redis_may_run_too_much(redis_url: str) -> None:
    with override_settings(EMBEDDED_REDIS=False):
        findings = list(redis_servers.check_server(redis_url, ["REDIS_URL"]))
    assert "users.md" in "".join(advice for _, advice in problems(findings))


def cluster_state(**changed: Any) -> ClusterState:
    healthy: dict[str, Any] = {
        "waiting": 0,
        "overdue_s": 0.0,
        "swept_ago_s": 1.0,
        "workers": {"host:1": 0.5},
    }
    return ClusterState(**healthy | changed)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (cluster_state(), []),
        (cluster_state(workers={}), [(Level.FAILURE, "No worker has sent a heartbeat")]),
        (cluster_state(workers={"host:1": 99.0}), [(Level.FAILURE, "No worker has sent a")]),
        (cluster_state(swept_ago_s=None), [(Level.FAILURE, "The sweep for unanswered messages")]),
        (cluster_state(swept_ago_s=11.0), [(Level.FAILURE, "The sweep for unanswered messages")]),
        (cluster_state(overdue_s=12.2), [(Level.WARNING, "A session has been waiting for 12 s")]),
    ],
)
def test_missing_workers_and_late_sweeps_are_reported(
    state: ClusterState, expected: list[tuple[Level, str]]
) -> None:
    found = [one for one in components.check_cluster(state) if one.level is not Level.OK]
    assert len(found) == len(expected)
    for finding, (level, text) in zip(found, expected, strict=True):
        assert finding.level is level
        assert finding.text.startswith(text)


@pytest.mark.parametrize(
    ("found", "level", "advice"),
    [
        (Erasure(None, None, None, None), Level.OK, ""),
        (Erasure(5, "run", RewriteOutcome.COMPLETE, 590), Level.OK, ""),
        (Erasure(5, "run", RewriteOutcome.REFUSED, 590), Level.WARNING, "AOF_REWRITE_INTERVAL_S=0"),
        (Erasure(5, "run", RewriteOutcome.FAILED, 590), Level.FAILURE, "disk is full"),
        (Erasure(5, "run", RewriteOutcome.COMPLETE, 1000), Level.FAILURE, "Start beat"),
    ],
)
def test_deleted_texts_that_stay_in_files_are_found(
    found: Erasure, level: Level, advice: str
) -> None:
    [finding] = components.check_rewrites(found)
    assert finding.level is level
    assert advice in finding.advice


def test_a_late_deletion_is_no_failure_if_beat_has_just_started() -> None:
    late = Erasure(5, "run", RewriteOutcome.COMPLETE, 1000)
    [finding] = components.check_rewrites(late, beat_has_just_started=True)
    assert (finding.level, finding.advice) == (Level.WARNING, "Run doctor again in two minutes.")


def test_beat_that_has_just_started_is_found_by_its_sweeps(store: Store) -> None:
    key = f"chat:minute:{int(time.time() / 60) - components.START_UP_MINUTES}"
    for sweeps, level in ((0, Level.WARNING), (60, Level.FAILURE)):
        store.redis.hset(key, "swept", sweeps)
        store.redis.zadd("chat:deletions", {"1": 1})
        [finding] = components.check_erasure()
        assert finding.level is level, finding
    store.redis.delete(key, "chat:deletions")


def test_the_doctor_waits_for_workers_and_the_sweep_to_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> None:
        store.run(cluster.heartbeat("host:1", free=1))
        store.run(cluster.sweep(0))

    store.redis.delete("chat:workers", "chat:swept")
    monkeypatch.setattr(time, "sleep", lambda _: start())
    findings = list(components.check_workers())
    # Sessions of other tests may wait: then a warning follows.
    assert [each.level for each in findings][:3] == [Level.PROGRESS, Level.OK, Level.OK]
    store.redis.delete("chat:workers")


def test_workers_that_do_not_start_in_time_are_a_failure(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.redis.delete("chat:workers")
    monkeypatch.setattr(components, "START_UP_S", 0)
    findings = list(components.check_workers())
    assert [each.level for each in findings[:2]] == [Level.PROGRESS, Level.FAILURE]


@override_settings(AOF_REWRITE_INTERVAL_S=0)
def test_files_that_are_never_rewritten_are_found() -> None:
    [finding] = components.check_erasure()
    assert (finding.level, "Set AOF_REWRITE_INTERVAL_S" in finding.advice) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("changed", "level", "text"),
    [
        ({"APP_ENV": "production", "DEBUG": True}, Level.FAILURE, "DEBUG is on in production"),
        ({"MODEL_TIMEOUT_S": 121.0}, Level.WARNING, "MODEL_TIMEOUT_S is above REPLY_DEADLINE_S"),
        ({"SESSION_TTL_S": 120}, Level.WARNING, "A session may expire before its reply"),
    ],
)
def test_contradicting_settings_are_reported(
    changed: dict[str, Any], level: Level, text: str
) -> None:
    with override_settings(
        **{"REPLY_DEADLINE_S": 120.0, "MODEL_TIMEOUT_S": 60.0, "SESSION_TTL_S": 3600} | changed
    ):
        [finding] = components.check_settings()
    assert finding.level is level
    assert finding.text.startswith(text)


def test_the_queue_of_the_broker_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "queued_tasks", lambda: 1)
    assert [finding.text for finding in components.check_broker()] == [
        "The broker responds; 1 task queued"
    ]


def response(status: int, text: str = "", **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content = status, text.encode()
    made.headers.update(headers)
    return made


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "Add chat.example to ALLOWED_HOSTS."),
        (502, "Start one, and check the address of the proxy's upstream."),
        (200, "Correct --url."),
        (404, "Correct --url."),
    ],
)
def test_a_site_that_fails_the_first_request_is_not_checked_further(
    status: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "get", lambda url, **options: response(status, "else"))
    assert problems(site.check_site("https://chat.example")) == [(Level.FAILURE, advice)]


@pytest.mark.parametrize(
    ("url", "headers", "texts"),
    [
        ("http://127.0.0.1:3500", {}, []),
        ("http://chat.example", {}, ["http://chat.example does not use HTTPS"]),
        ("https://chat.example", {"Strict-Transport-Security": "max-age=1"}, []),
        (
            "https://chat.example",
            {},
            ["The web process does not know that visitors use HTTPS"],
        ),
    ],
)
def test_missing_encryption_is_reported(
    url: str, headers: dict[str, str], texts: list[str]
) -> None:
    findings = site.check_encryption(url, response(200, **headers))
    assert [finding.text for finding in findings] == texts


@pytest.mark.parametrize(
    ("reply", "level", "token"),
    [
        (response(200, '{"token": "t"}'), Level.OK, "t"),
        (response(429, **{"Retry-After": "7"}), Level.WARNING, ""),
        (response(500), Level.FAILURE, ""),
        (response(200, "no JSON"), Level.FAILURE, ""),
    ],
)
def test_the_response_to_a_new_session_is_reported(
    reply: requests.Response, level: Level, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "post", lambda url, **options: reply)
    got, finding = site.create_session("http://chat.example")
    assert (got, finding.level) == (token, level)
    if reply.status_code == 429:
        assert finding.advice == "Try again in 7 s."


def completed(generated_s: float) -> dict[str, Any]:
    timings = {"first_token_ms": 100, "total_ms": 100 + 1000 * generated_s}
    return {"type": "reply.completed", "message": {"timings": timings}}


def failed(code: str) -> dict[str, Any]:
    return {"type": "reply.failed", "message": {"error": {"code": code}}}


@pytest.mark.parametrize(
    ("outcome", "level", "text"),
    [
        (Outcome(completed(2), 1.0, 3.0), Level.OK, "The reply streams in over 2.0 s"),
        (Outcome(completed(2), 2.9, 3.0), Level.FAILURE, "The reply was generated over 2.0 s but"),
        (Outcome(completed(2), None, 3.0), Level.WARNING, "The reply arrived in one piece"),
        (Outcome(completed(0.1), 1.0, 1.1), Level.OK, "The reply was too short to show"),
        (Outcome(failed("model.timeout"), None, 3.0), Level.FAILURE, "The reply failed: model.ti"),
        (
            Outcome({"type": "error", "code": "rate.limited", "detail": "Wait."}, None, 0.1),
            Level.FAILURE,
            "The message was rejected: rate.limited",
        ),
    ],
)
def test_the_outcome_of_a_message_is_reported(outcome: Outcome, level: Level, text: str) -> None:
    finding = list(check_outcome(outcome))[-1]
    assert finding.level is level
    assert finding.text.startswith(text)


@contextmanager
def server(
    handle: Callable[[ServerConnection], None],
    process_request: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> Iterator[str]:
    subprotocols: Any = ["chat.v1"]
    with serve(
        handle, "127.0.0.1", 0, subprotocols=subprotocols, process_request=process_request
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.socket.getsockname()[1]}"
        finally:
            running.shutdown()
            thread.join()


def reply_then(socket: ServerConnection) -> None:
    socket.send(json.dumps({"type": "session.ready"}))
    socket.recv()
    socket.send(json.dumps(failed("model.unauthorized")))


def test_a_healthy_socket_stays_open() -> None:
    def handle(socket: ServerConnection) -> None:
        reply_then(socket)
        assert json.loads(socket.recv()) == {"type": "session.sync"}
        socket.send(json.dumps({"type": "session.ready"}))

    with server(handle) as url:
        findings = list(check_socket(url, "token", idle_s=0.1))

    assert [finding.text for finding in findings] == [
        "The WebSocket opens",
        "Waiting up to 125 s for the reply to a message",
        "The reply failed: model.unauthorized",
        "Leaving the WebSocket idle for 0 s",
        "A WebSocket stays open while idle for 0 s",
    ]
    assert problems(findings) == [(Level.FAILURE, "Correct HUGGINGFACE_INFERENCE_TOKEN.")]


def test_a_socket_that_is_closed_while_idle_is_a_failure() -> None:
    with server(reply_then) as url:
        finding = list(check_socket(url, "token", idle_s=30))[-1]
    assert finding.text == "An idle WebSocket was closed after 0 s"
    assert finding.advice.startswith("Raise the proxy's read timeout")


def test_a_rejected_session_is_reported_with_its_code() -> None:
    error = {"type": "error", "code": "session.unknown", "detail": "Session expired."}
    with server(lambda socket: socket.send(json.dumps(error))) as url:
        [finding] = check_socket(url, "token", idle_s=0)
    assert finding.text == "The server rejects the WebSocket: session.unknown"


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (HTTPStatus.FORBIDDEN, conversation.HOST),
        (HTTPStatus.BAD_REQUEST, conversation.UPGRADE),
    ],
)
def test_a_socket_that_does_not_open_is_a_failure(status: HTTPStatus, advice: str) -> None:
    def reject(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(status, "")

    with server(lambda socket: None, reject) as url:
        assert problems(check_socket(url, "token", 0)) == [(Level.FAILURE, advice)]


def test_an_unexpected_error_is_a_finding_without_its_text() -> None:
    def check() -> Iterator[Finding]:
        raise ValueError("secret")
        yield

    [finding] = run_check("Redis", check)
    assert finding.text == "The check of Redis failed (ValueError)"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 failures"), (1, "1 failure"), (2, "2 failures")]
)
def test_a_count_has_a_singular_and_a_plural(number: int, text: str) -> None:
    assert count(number, "failure") == text
