"""Connections are kept, and a kept one that has died is no failure."""

import contextlib
import os
import socket
from concurrent.futures import Future

import pytest

from inference import cancellable_http
from inference.model_client import HttpModelClient, Turn
from inference.model_errors import ModelError, ModelUnavailable
from tests.component.inference.conftest import BuildClient, wait_until
from tests.model_stub import Behaviour, ModelStub

TURNS = [Turn("human", "Hello")]


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The connections that were opened, in order."""
    seen: list[object] = []
    connect = cancellable_http._connect

    def count(open_socket: object, connecting: Future[socket.socket]) -> None:
        seen.append(connecting)
        connect(open_socket, connecting)

    monkeypatch.setattr(cancellable_http, "_connect", count)
    return seen


def generate(client: HttpModelClient) -> str:
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
def test_replies_use_one_connection_one_after_the_other(
    client: HttpModelClient, stub: ModelStub, connects: list[object], behaviour: Behaviour
) -> None:
    stub.always(behaviour)
    for _ in range(5):
        generate(client)
    assert len(connects) == 1


def test_an_error_response_keeps_the_connection(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    stub.script(Behaviour(status=500, error="x", times=3))
    for _ in range(3):
        with pytest.raises(ModelUnavailable):
            generate(client)
    assert generate(client) == "You said: Hello"
    assert len(connects) == 1


def test_a_kept_connection_that_the_server_has_closed_is_replaced(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    generate(client)
    stub.drop_connections()
    assert generate(client) == "You said: Hello"
    assert len(connects) == 2


@pytest.mark.parametrize("fault", [Behaviour(reset_after=0), Behaviour(close_after=0)])
def test_a_request_on_a_dead_kept_connection_is_repeated_once(
    client: HttpModelClient, stub: ModelStub, connects: list[object], fault: Behaviour
) -> None:
    generate(client)
    stub.script(fault)
    assert generate(client) == "You said: Hello"
    assert len(stub.requests) == 3
    assert len(connects) == 2


def test_it_is_tried_once_more_on_a_new_connection(
    client: HttpModelClient, stub: ModelStub, connects: list[object]
) -> None:
    together = [client.generate(TURNS), client.generate(TURNS)]
    for generation in together:
        next(generation)
    for generation in together:
        list(generation)
    stub.script(Behaviour(reset_after=0))
    assert generate(client) == "You said: Hello"
    assert len(connects) == 3


def test_it_is_tried_once_more_only_once(client: HttpModelClient, stub: ModelStub) -> None:
    generate(client)
    stub.script(Behaviour(reset_after=0, times=5))
    with pytest.raises(ModelUnavailable):
        generate(client)
    assert len(stub.requests) == 3


def test_a_new_connection_that_breaks_is_a_failure(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(reset_after=0))
    with pytest.raises(ModelUnavailable):
        generate(client)
    assert len(stub.requests) == 1


def test_a_kept_connection_that_breaks_within_a_reply_is_a_failure(
    client: HttpModelClient, stub: ModelStub
) -> None:
    generate(client)
    stub.script(Behaviour(reset_after=1))
    with pytest.raises(ModelUnavailable):
        generate(client)
    assert len(stub.requests) == 2


def test_no_descriptor_is_left_open(
    build: BuildClient, stub: ModelStub, api: str, full_server: str
) -> None:
    before = open_descriptors()
    clients = [build(api, timeout_s=0.1), build(api, url=full_server, timeout_s=0.1)]
    stub.script(*[Behaviour(), Behaviour(hang_after=0), Behaviour(reset_after=1)] * 2)
    for client in clients * 6:
        with contextlib.suppress(ModelError):
            generate(client)
    assert len(stub.requests) == 6
    for client in clients:
        client.close()
    wait_until(lambda: open_descriptors() == before)


def open_descriptors() -> int:
    """Count this process's descriptors; the stub's side of a connection is among them."""
    return len(os.listdir("/proc/self/fd"))
