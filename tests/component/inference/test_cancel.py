"""A call can be stopped from another thread at any moment, and the server notices."""

import socket
import threading
import time
from unittest.mock import Mock

import pytest

from inference import cancellable_http
from inference.model_client import Generation, HttpModelClient, Turn
from inference.model_errors import GenerationCancelled, ModelError
from tests.component.inference.conftest import BuildClient, wait_until
from tests.model_stub import Behaviour, ModelStub, RecordedRequest

TURNS = [Turn("human", "Hello")]
# Every other way out of these waits takes at least thirty seconds, also on a busy machine.
PROMPTLY_S = 4.0


class Reader:
    """A thread that reads a generation to its end and notes how it ended."""

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
    """Cancel; the reader must end promptly, with the right exception."""
    started_s = time.monotonic()
    generation.cancel()
    reader.join()
    assert isinstance(reader.ended_with, GenerationCancelled)
    assert time.monotonic() - started_s < PROMPTLY_S


def is_disconnected(seen: list[RecordedRequest]) -> bool:
    return bool(seen) and seen[-1].disconnected_at_s is not None


def test_cancelling_before_the_first_piece(client: HttpModelClient, stub: ModelStub) -> None:
    generation = client.generate(TURNS)
    generation.cancel()
    with pytest.raises(GenerationCancelled):
        next(generation)
    assert stub.requests == []


@pytest.mark.parametrize("is_reused", [False, True], ids=["new connection", "kept connection"])
def test_cancelled_while_waiting_for_headers(
    client: HttpModelClient, stub: ModelStub, is_reused: bool
) -> None:
    if is_reused:
        with client.generate(TURNS) as first:
            list(first)
    count = len(stub.requests) + 1
    stub.script(Behaviour(hang_after=0))
    generation = client.generate(TURNS)
    reader = Reader(generation)
    stub.wait_for(lambda seen: len(seen) == count)
    cancel_and_join(generation, reader)
    assert len(stub.wait_for(is_disconnected)) == count


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(piece_delay_s=60),
        Behaviour(byte_delay_s=0.05),
        Behaviour(status=500, error="x", byte_delay_s=0.05),
    ],
    ids=["silent", "a byte now and then", "an error now and then"],
)
def test_cancelled_before_the_first_piece(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    generation = client.generate(TURNS)
    reader = Reader(generation)
    stub.wait_for(lambda seen: len(seen) == 1)
    cancel_and_join(generation, reader)
    stub.wait_for(is_disconnected)


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(hang_after=1), Behaviour(pieces=("a", "b"), piece_delay_s=0.01, endless=True)],
)
def test_cancelled_between_pieces(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    generation = client.generate(TURNS)
    reader = Reader(generation)
    assert reader.has_piece.wait(5)
    cancel_and_join(generation, reader)
    assert reader.pieces
    stub.wait_for(is_disconnected)


def test_cancelled_while_pieces_are_still_in_the_buffer(
    build: BuildClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(raw='data: {"token": {"text": "You"}}\n\n' * 9))
    generation = build().generate(TURNS)
    assert next(generation) == "You"
    generation.cancel()
    with pytest.raises(GenerationCancelled):
        next(generation)


def test_cancelled_while_connecting(build: BuildClient, full_server: str) -> None:
    generation = build(url=full_server, timeout_s=30.0).generate(TURNS)
    reader = Reader(generation)
    wait_until(lambda: generation._call._connecting is not None)
    cancel_and_join(generation, reader)


def test_cancelled_in_the_tls_handshake(build: BuildClient, silent_server: str) -> None:
    url = silent_server.replace("http:", "https:")
    generation = build(url=url, timeout_s=30.0).generate(TURNS)
    reader = Reader(generation)
    wait_until(lambda: generation._call._duplicate is not None)
    cancel_and_join(generation, reader)


def test_cancelled_while_a_name_is_looked_up(
    build: BuildClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        resolved.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    generation = build(url="http://model.invalid/").generate(TURNS)
    reader = Reader(generation)
    wait_until(lambda: generation._call._connecting is not None)
    cancel_and_join(generation, reader)
    resolved.set()


def test_cancelling_after_the_end_changes_nothing(client: HttpModelClient, stub: ModelStub) -> None:
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


def test_one_call_is_cancelled_and_the_others_go_on(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(hang_after=1), Behaviour(piece_delay_s=0.1))
    doomed = client.generate(TURNS)
    reader = Reader(doomed)
    assert reader.has_piece.wait(5)
    other = client.generate([Turn("human", "go on")])
    survivor = Reader(other)
    assert survivor.has_piece.wait(5)
    cancel_and_join(doomed, reader)
    survivor.join()
    assert "".join(survivor.pieces) == "You said: go on"


def test_a_call_whose_connection_has_moved_on_cannot_harm_its_next_owner(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(shape="object"), Behaviour(pieces=("still", " here"), piece_delay_s=0.1))
    read_whole = client.generate(TURNS)
    next(read_whole)
    owner = client.generate(TURNS)
    assert next(owner) == "still"
    read_whole.cancel()
    assert list(owner) == [" here"]


def test_cancelling_after_the_last_byte_spares_the_kept_connection(
    client: HttpModelClient, stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Mock(wraps=cancellable_http._connect)
    monkeypatch.setattr(cancellable_http, "_connect", connect)
    stub.script(Behaviour(shape="object"))
    finished_there = client.generate(TURNS)
    next(finished_there)
    finished_there.cancel()
    with client.generate(TURNS) as other:
        assert "".join(other) == "You said: Hello"
    assert connect.call_count == 1


def test_cancelling_at_random_moments_never_harms_another_call(
    build: BuildClient, stub: ModelStub
) -> None:
    """One kept connection goes from call to call; a late cancel must not hit its next owner."""
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
