"""A worker sends heartbeats with its free slots, also after an outage, and releases its replies."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Queue

from chat.errors import StoreUnavailable
from chat.store.command import Command
from chat.worker import lifecycle
from chat.worker.slots import Slots


class HeartbeatStore:
    """Records heartbeats. The first one fails; the second never returns."""

    def __init__(self) -> None:
        self.commands: list[Command[Any]] = []
        self.second = threading.Event()

    def run(self, command: Command[Any]) -> None:
        self.commands.append(command)
        if len(self.commands) == 1:
            raise StoreUnavailable
        self.second.set()
        threading.Event().wait()


@pytest.fixture
def heartbeats(monkeypatch: pytest.MonkeyPatch) -> HeartbeatStore:
    store, slots = HeartbeatStore(), Slots(3, lambda session: None)
    monkeypatch.setattr(lifecycle, "store", lambda: store)
    monkeypatch.setattr(lifecycle, "slots", lambda: slots)
    monkeypatch.setattr(lifecycle, "worker_name", lambda: "host:1")
    monkeypatch.setattr(lifecycle, "HEARTBEAT_INTERVAL_S", 0.01)
    slots.take("ada")
    return store


def test_heartbeats_have_the_workers_name_and_continue_after_an_outage(
    heartbeats: HeartbeatStore,
) -> None:
    lifecycle.start()
    assert heartbeats.second.wait(2)
    arguments = heartbeats.commands[-1].arguments
    assert (arguments["worker"], arguments["free"]) == ("host:1", 2)


def test_shutting_down_releases_the_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bool] = []
    responder = SimpleNamespace(release_all=lambda: released.append(True))
    monkeypatch.setattr(lifecycle, "responder", lambda: responder)
    lifecycle.release_replies()
    assert released == [True]


def test_a_worker_also_consumes_sweeps_and_a_queue_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added: list[Queue] = []
    queues = SimpleNamespace(select_add=added.append)
    monkeypatch.setattr(lifecycle, "worker_name", lambda: "host:1")
    lifecycle.consume_queues(
        SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)))
    )
    assert [queue.name for queue in added] == ["chat:sweep", "chat:erasure", "worker.host:1"]
