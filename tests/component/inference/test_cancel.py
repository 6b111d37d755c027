"""A model call can be cancelled from another thread at any time, and the server notices."""

import socket
import threading
import time
from unittest.mock import Mock

import pytest

from inference import cancellable_http
from inference.model_client import Generation, HttpModelClient, Turn
from inference.model_errors import GenerationCancelled, ModelError
from tests.component.inference.conftest import BuildClient
from tests.model_stub import Behaviour, ModelStub, RecordedRequest
from tests.processes import wait_for

TURNS = [Turn("human", "Hello")]
# Without the cancellation, each of these waits lasts at least thirty seconds.
PROMPTLY_S = 4.0


class Reader:
    """A thread that reads a generation to its end and records how it ended."""

    def __init__(self, generation: Generation) -> None:
        self.pieces: list[str] = []
        self.ended_with: BaseException | None = None
        self.has_piece = threading.Event()
        self._generation = generation
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._generation:
                for piece in self._generation:
                    self.pieces.append(piece)
                    self.has_piece.set()
        except (GenerationCancelled, ModelError) as error:
            self.ended_with = error

    def join(self) -> None:
        self._thread.join(timeout=5)
        assert not self._thread.is_alive()


def cancel_and_join(generation: Generation, reader: Reader) -> None:
    """Cancel, and assert that the reader promptly ends with GenerationCancelled."""
    started_s = time.monotonic()
    generation.cancel()
    reader.join()
    assert isinstance(reader.ended_with, GenerationCancelled)
    assert time.monotonic() - started_s < PROMPTLY_S


def is_disconnected(requests: list[RecordedRequest]) -> bool:
    return bool(requests) and requests[-1].disconnected_at_s is not None


def test_a_call_cancelled_before_iteration_sends_no_request(
    client: HttpModelClient, stub: ModelStub
) -> None:
    generation = client.generate(TURNS)
    generation.cancel()
    with pytest.raises(GenerationCancelled):
        next(generation)
    assert stub.requests == []


@pytest.mark.parametrize("is_reused", [False, True], ids=["new connection", "kept connection"])
def test_a_call_is_cancelled_while_waiting_for_headers(
    client: HttpModelClient, stub: ModelStub, is_reused: bool
) -> None:
    if is_reused:
        with client.generate(TURNS) as first:
            list(first)
    count = len(stub.requests) + 1
    stub.script(Behaviour(hang_after=0))
    generation = client.generate(TURNS)
    reader = Reader(generation)
    stub.wait_for(lambda requests: len(requests) == count)
    cancel_and_join(generation, reader)
    assert len(stub.wait_for(is_disconnected)) == count


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(piece_delay_s=60),
        Behaviour(byte_delay_s=0.05),
        Behaviour(status=500, error="x", byte_delay_s=0.05),
    ],
    ids=["silent", "slow bytes", "slow bytes of an error"],
)
def test_a_call_is_cancelled_before_the_first_piece(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    generation = client.generate(TURNS)
    reader = Reader(generation)
    stub.wait_for(lambda requests: len(requests) == 1)
    cancel_and_join(generation, reader)
    stub.wait_for(is_disconnected)


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(hang_after=1), Behaviour(pieces=("a", "b"), piece_delay_s=0.01, endless=True)],
)
def test_a_call_is_cancelled_between_pieces(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    generation = client.generate(TURNS)
    reader = Reader(generation)
    assert reader.has_piece.wait(5)
    cancel_and_join(generation, reader)
    assert reader.pieces
    stub.wait_for(is_disconnected)


def test_a_cancelled_call_discards_buffered_pieces(build: BuildClient, stub: ModelStub) -> None:
    stub.script(Behaviour(raw='data: {"token": {"text": "You"}}\n\n' * 9))
    generation = build().generate(TURNS)
    assert next(generation) == "You"
    generation.cancel()
    with pytest.raises(GenerationCancelled):
        next(generation)


def test_a_call_is_cancelled_while_connecting(build: BuildClient, full_server: str) -> None:
    generation = build(url=full_server, timeout_s=30.0).generate(TURNS)
    reader = Reader(generation)
    wait_for(lambda: generation._call._connecting is not None, "the connection attempt")
    cancel_and_join(generation, reader)


def test_a_call_is_cancelled_during_the_tls_handshake(
    build: BuildClient, silent_server: str
) -> None:
    url = silent_server.replace("http:", "https:")
    generation = build(url=url, timeout_s=30.0).generate(TURNS)
    reader = Reader(generation)
    wait_for(lambda: generation._call._duplicate is not None, "the TLS handshake")
    cancel_and_join(generation, reader)


def test_a_call_is_cancelled_during_name_resolution(
    build: BuildClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        resolved.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    generation = build(url="http://model.invalid/").generate(TURNS)
    reader = Reader(generation)
    wait_for(lambda: generation._call._connecting is not None, "the connection attempt")
    cancel_and_join(generation, reader)
    resolved.set()


def test_cancelling_after_the_end_has_no_effect(client: HttpModelClient, stub: ModelStub) -> None:
    with client.generate(TURNS) as generation:
        text = "".join(generation)
    generation.cancel()
    generation.cancel()
    assert text == "You said: Hello"
    assert generation.finish_reason == "stop"
    with client.generate(TURNS) as other:
        assert "".join(other) == text
    assert all(request.disconnected_at_s is None for request in stub.requests)


def test_leaving_the_context_closes_the_connection(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(hang_after=1))
    with client.generate(TURNS) as generation:
        next(generation)
    stub.wait_for(is_disconnected)
    assert list(generation) == []


def test_cancelling_one_call_does_not_affect_another(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(hang_after=1), Behaviour(piece_delay_s=0.1))
    cancelled = client.generate(TURNS)
    reader = Reader(cancelled)
    assert reader.has_piece.wait(5)
    other = client.generate([Turn("human", "continue")])
    other_reader = Reader(other)
    assert other_reader.has_piece.wait(5)
    cancel_and_join(cancelled, reader)
    other_reader.join()
    assert "".join(other_reader.pieces) == "You said: continue"


def test_cancelling_a_finished_call_does_not_affect_the_next_call_on_its_connection(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(shape="object"), Behaviour(pieces=("still", " here"), piece_delay_s=0.1))
    finished = client.generate(TURNS)
    next(finished)
    following = client.generate(TURNS)
    assert next(following) == "still"
    finished.cancel()
    assert list(following) == [" here"]


def test_cancelling_after_the_last_byte_keeps_the_connection_open(
    client: HttpModelClient, stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Mock(wraps=cancellable_http._connect)
    monkeypatch.setattr(cancellable_http, "_connect", connect)
    stub.script(Behaviour(shape="object"))
    finished = client.generate(TURNS)
    next(finished)
    finished.cancel()
    with client.generate(TURNS) as other:
        assert "".join(other) == "You said: Hello"
    assert connect.call_count == 1


def test_cancelling_at_any_moment_does_not_affect_the_next_call(
    build: BuildClient, stub: ModelStub
) -> None:
    """The calls share one connection; a late cancel must not reach the next call."""
    client = build(max_connections=1)
    for number in range(200):
        generation = client.generate([Turn("human", f"first {number}")])
        canceller = threading.Timer(0.0005 * (number % 8), generation.cancel)
        canceller.start()
        reader = Reader(generation)
        reader.join()
        with client.generate([Turn("human", f"second {number}")]) as other:
            assert "".join(other) == f"You said: second {number}"
        canceller.join()
