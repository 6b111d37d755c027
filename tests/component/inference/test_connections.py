"""Connections are kept alive, and a stale one is replaced without an error."""

import contextlib
import gc
import os
import socket
from concurrent.futures import Future

import pytest

from inference import cancellable_http
from inference.model_client import HttpModelClient, Turn
from inference.model_errors import ModelError, ModelUnavailable
from tests.component.inference.conftest import BuildClient
from tests.model_stub import Behaviour, ModelStub
from tests.processes import wait_for

TURNS = [Turn("human", "Hello")]


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The connections opened so far, in order."""
    opened: list[object] = []
    connect = cancellable_http._connect

    def record(open_socket: object, connecting: Future[socket.socket]) -> None:
        opened.append(connecting)
        connect(open_socket, connecting)

    monkeypatch.setattr(cancellable_http, "_connect", record)
    return opened


def generate_text(client: HttpModelClient) -> str:
    with client.generate(TURNS) as generation:
        return "".join(generation)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(times=None),
        Behaviour(times=None, split_bytes=True),
        Behaviour(times=None, shape="object"),
        Behaviour(times=None, done=False),
    ],
    ids=["stream", "split stream", "object", "no DONE"],
)
def test_consecutive_calls_reuse_one_connection(
    client: HttpModelClient,
    stub: ModelStub,
    connects: list[object],
    behaviour: Behaviour,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The end of a response that is split into single bytes may take longer on a busy machine.
    monkeypatch.setattr("inference.generation.AFTER_END_TIMEOUT_S", 10)
    stub.always(behaviour)
    for _ in range(5):
        generate_text(client)
    assert len(connects) == 1


def test_an_error_response_keeps_the_connection_open(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    stub.script(Behaviour(status=500, error="x", times=3))
    for _ in range(3):
        with pytest.raises(ModelUnavailable):
            generate_text(client)
    assert generate_text(client) == "You said: Hello"
    assert len(connects) == 1


def test_an_idle_connection_that_the_server_closed_is_replaced(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    generate_text(client)
    stub.drop_connections()
    assert generate_text(client) == "You said: Hello"
    assert len(connects) == 2


@pytest.mark.parametrize("fault", [Behaviour(reset_after=0), Behaviour(close_after=0)])
def test_a_reused_connection_that_breaks_before_the_response_is_retried_once(
    client: HttpModelClient, stub: ModelStub, connects: list[object], fault: Behaviour
) -> None:
    generate_text(client)
    stub.script(fault)
    assert generate_text(client) == "You said: Hello"
    assert len(stub.requests) == 3
    assert len(connects) == 2


def test_the_retry_uses_a_new_connection(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    concurrent = [client.generate(TURNS), client.generate(TURNS)]
    for generation in concurrent:
        next(generation)
    for generation in concurrent:
        list(generation)
    stub.script(Behaviour(reset_after=0))
    assert generate_text(client) == "You said: Hello"
    assert len(connects) == 3


def test_a_second_broken_connection_is_not_retried(
    client: HttpModelClient, stub: ModelStub
) -> None:
    generate_text(client)
    stub.script(Behaviour(reset_after=0, times=5))
    with pytest.raises(ModelUnavailable):
        generate_text(client)
    assert len(stub.requests) == 3


def test_a_new_connection_that_breaks_is_not_retried(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(reset_after=0))
    with pytest.raises(ModelUnavailable):
        generate_text(client)
    assert len(stub.requests) == 1


def test_a_reused_connection_that_breaks_within_a_reply_is_not_retried(
    client: HttpModelClient, stub: ModelStub
) -> None:
    generate_text(client)
    stub.script(Behaviour(reset_after=1))
    with pytest.raises(ModelUnavailable):
        generate_text(client)
    assert len(stub.requests) == 2


def test_no_file_descriptor_is_leaked(
    build: BuildClient, stub: ModelStub, api: str, full_server: str
) -> None:
    gc.collect()  # closes what earlier tests left behind
    before = open_descriptors()
    clients = [build(api, timeout_s=0.1), build(api, url=full_server, timeout_s=0.1)]
    stub.script(*[Behaviour(), Behaviour(hang_after=0), Behaviour(reset_after=1)] * 2)
    for client in clients * 6:
        with contextlib.suppress(ModelError):
            generate_text(client)
    assert len(stub.requests) == 6
    for client in clients:
        client.close()
    wait_for(lambda: open_descriptors() == before, "all descriptors to be closed", timeout_s=5)


def open_descriptors() -> int:
    """Count the open descriptors of this process, which include the stub's sockets."""
    return len(os.listdir("/proc/self/fd"))
