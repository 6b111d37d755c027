"""Publishing to a RabbitMQ that fails takes a bounded time; beat and the doctor notice it."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from django.conf import settings
from kombu import pools
from kombu.exceptions import KombuError

from chat.cli.doctor import rabbitmq_server
from chat.cli.doctor.findings import Level
from chat.events.queues import count_tasks, shared_queue
from chat.events.rabbitmq import TIMEOUT_S, PublishingBlocked
from chat.worker.beat_scheduler import BeatScheduler
from chatproject.broker.options import broker_tls, transport_options
from chatproject.redis_urls import tls_options
from tests.component.test_redis_tls import TlsServer
from tests.ports import free_port
from tests.rabbitmq import RabbitMQ

pytestmark = pytest.mark.slow

QUEUE = settings.CELERY_TASK_DEFAULT_QUEUE
# One attempt on the open connection, and one that connects twice.
LONGEST_S = 3 * TIMEOUT_S + 1


@pytest.fixture
def app(rabbitmq: RabbitMQ) -> Iterator[Celery]:
    """The project's Celery app, connected to RabbitMQ, with an open connection."""
    app = Celery("rabbitmq")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(
        broker_read_url=rabbitmq.url,
        broker_write_url=rabbitmq.url,
        broker_transport_options=transport_options(rabbitmq.url, {}, connections=0),
        broker_connection_timeout=2,
    )
    with app.connection_for_write() as connection:
        shared_queue(QUEUE)(connection.default_channel).declare()
        shared_queue(QUEUE)(connection.default_channel).purge()
    publish(app)
    yield app
    pools.reset()
    app.close()


def publish(app: Celery) -> None:
    app.send_task("chat.tasks.answer", ("session",), ignore_result=True, declare=[])


def failure_of(app: Celery) -> tuple[type[BaseException], float]:
    """Publish a task; return the error and the time until it came."""
    started_at = time.monotonic()
    with pytest.raises(KombuError) as caught:
        publish(app)
    return caught.type, time.monotonic() - started_at


def tasks(app: Celery) -> int:
    with app.connection_for_write() as connection:
        return count_tasks(connection.default_channel, QUEUE)


def test_a_published_task_is_in_the_queue_after_a_restart(app: Celery, rabbitmq: RabbitMQ) -> None:
    rabbitmq.kill()
    assert failure_of(app)[1] < TIMEOUT_S, "refused"
    rabbitmq.start()
    publish(app)
    assert tasks(app) == 2


def test_a_frozen_server_delays_publishing_for_seconds_only(
    app: Celery, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.process.send(signal.SIGSTOP)
    try:
        assert failure_of(app)[1] < LONGEST_S
    finally:
        rabbitmq.process.send(signal.SIGCONT)
    publish(app)
    assert tasks(app) >= 2


def test_a_server_without_memory_refuses_at_once(app: Celery, rabbitmq: RabbitMQ) -> None:
    rabbitmq.fill_memory()
    try:
        for _ in range(3):
            error, after_s = failure_of(app)
            assert error is PublishingBlocked
            assert after_s < TIMEOUT_S
    finally:
        rabbitmq.free_memory()
    publish(app)
    assert tasks(app) >= 2


def test_the_next_node_is_used_if_one_does_not_respond(app: Celery, rabbitmq: RabbitMQ) -> None:
    app.conf.update(broker_write_url=f"amqp://guest@127.0.0.1:{free_port()};{rabbitmq.url}")
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
        assert connection.connection.sock.gettimeout() == TIMEOUT_S
        assert count_tasks(connection.default_channel, QUEUE) == 1


def test_a_full_queue_refuses_at_once(app: Celery, rabbitmq: RabbitMQ) -> None:
    limit = '{"max-length": 1, "overflow": "reject-publish"}'
    rabbitmq.control("set_policy", "full", QUEUE, limit, "--apply-to", "queues")
    try:
        publish(app)  # a queue accepts a few more than the limit
        assert failure_of(app)[1] < TIMEOUT_S
    finally:
        rabbitmq.control("clear_policy", "full")
    publish(app)


def test_beat_publishes_one_sweep_at_a_time_also_after_a_restart(
    app: Celery, rabbitmq: RabbitMQ
) -> None:
    scheduler = BeatScheduler(app, lazy=True)
    scheduler.setup_schedule()
    entry: ScheduleEntry = scheduler.schedule["sweep"]
    with app.connection_for_write() as connection:
        shared_queue(settings.SWEEP_QUEUE)(connection.default_channel).delete()
    for _ in range(3):
        scheduler.apply_entry(entry)
    assert sweeps(app) == 1
    rabbitmq.kill()
    scheduler.apply_entry(entry)
    rabbitmq.start()
    scheduler._retry_at = 0.0
    for _ in range(3):
        scheduler.apply_entry(entry)
    assert sweeps(app) == 1
    scheduler.connection.close()


def sweeps(app: Celery) -> int:
    with app.connection_for_write() as connection:
        return count_tasks(connection.default_channel, settings.SWEEP_QUEUE)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("amqp://guest:guest@127.0.0.1:{port}", "RabbitMQ 3."),
        ("amqp://guest:secret@127.0.0.1:{port}", "the server rejects the user"),
        ("amqp://guest:guest@127.0.0.1:{port}/other", "the user may not use this virtual host"),
        ("amqp://guest:secret@127.0.0.1:{unused}", "does not respond (ConnectionRefusedError)"),
    ],
)
def test_the_doctor_says_what_is_wrong(
    rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch, address: str, text: str
) -> None:
    url = address.format(port=rabbitmq.port, unused=free_port())
    [finding] = doctor(url, {}, monkeypatch)
    assert text in finding
    assert "secret" not in finding


@pytest.mark.parametrize("is_trusted", [True, False])
def test_an_encrypted_connection_verifies_the_server(
    rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_trusted: bool
) -> None:
    server = TlsServer(f"redis://127.0.0.1:{rabbitmq.port}", tmp_path)
    url = f"amqps://guest:guest@127.0.0.1:{server.port}"
    file = str(server.ca_file) if is_trusted else ""
    tls = broker_tls(url, tls_options(url, ca_file=file, certificate_file="", key_file=""))
    findings = doctor(url, tls, monkeypatch)
    server.close()
    assert ("signed by an unknown authority" in findings[0]) != is_trusted
    assert server.received == is_trusted, "the password"


def test_the_doctor_warns_about_a_server_without_encryption_or_quorum_queues() -> None:
    old = {"product": "RabbitMQ", "version": "3.7.28"}
    findings = list(rabbitmq_server.check_properties("rabbit:5672", old, 0.2))
    assert [finding.level for finding in findings] == [
        Level.OK,
        Level.WARNING,
        Level.FAILURE,
        Level.WARNING,
    ]


def doctor(url: str, tls: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the doctor finds with this address."""
    app = Celery("doctor", broker=url)
    app.conf.update(
        broker_transport_options=transport_options(url, tls, connections=0),
        broker_use_ssl=tls,
        broker_connection_timeout=2,
    )
    monkeypatch.setattr(rabbitmq_server, "current_app", app)
    return [finding.text for finding in rabbitmq_server.check_server()]
