"""When tokens are counted, estimated, or taken from what is known."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, cast

import pytest

from inference import token_counter
from inference.cancellable_http import Call
from inference.model_errors import ModelTimeout
from inference.prompt import estimate_tokens
from inference.token_counter import FAILED_S, UNSUPPORTED_S, TokenCounter, parse_count
from inference.transport import Transport

TEXT = "one two three"


class Server:
    """A transport whose responses are scripted. Each request takes `seconds`."""

    def __init__(self, status: int = 200, body: bytes = b'{"count": 99}') -> None:
        self.status = status
        self.body = body
        self.error: Exception | None = None
        self.seconds = 0.0
        self.now = 0.0
        self.asked = 0

    def clock(self) -> float:
        return self.now

    def post(self, payload: dict[str, Any], call: Call, request_id: str | None) -> Self:
        self.asked += 1
        self.now += self.seconds
        if self.error:
            raise self.error
        return self

    def limit_rest(self, timeout_s: float) -> None: ...

    def __iter__(self) -> Iterator[bytes]:
        return iter([self.body])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def counter(server: Server) -> TokenCounter:
    return TokenCounter(cast(Transport, server), "model", server.clock)


def test_a_text_is_counted_once() -> None:
    server = Server()
    counts = counter(server).within(1)
    assert [counts(TEXT), counts(TEXT), counts("")] == [99, 99, 0]
    assert server.asked == 1


@pytest.mark.parametrize(
    ("status", "pause_s"), [(404, UNSUPPORTED_S), (405, UNSUPPORTED_S), (503, FAILED_S)]
)
def test_a_server_without_the_route_is_not_asked_for_a_while(status: int, pause_s: float) -> None:
    server = Server(status)
    counts = counter(server)
    for _ in range(3):
        assert counts.within(1)(TEXT) == estimate_tokens(TEXT)
    assert server.asked == 1
    server.now += pause_s + 1
    server.status = 200
    assert counts.within(1)(TEXT) == 99


def test_a_server_that_does_not_respond_is_asked_again_sooner() -> None:
    server = Server()
    server.error = ModelTimeout()
    counts = counter(server)
    assert counts.within(9)(TEXT) == estimate_tokens(TEXT)
    server.error = None
    assert counts.within(9)(TEXT) == estimate_tokens(TEXT)
    server.now += FAILED_S + 1
    assert counts.within(9)(TEXT) == 99


def test_after_its_time_the_rest_is_estimated() -> None:
    server = Server()
    server.seconds = 0.4
    counts = counter(server).within(1)
    assert [counts(f"{TEXT} {number}") for number in range(5)][:3] == [99, 99, 99]
    assert counts("late and long " * 20) == estimate_tokens("late and long " * 20)
    assert server.asked == 3


def test_the_number_of_known_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counter, "MAX_TEXTS", 2)
    server = Server()
    counts = counter(server).within(1)
    for text in ("a", "b", "a", "c", "a", "b"):  # b is the one that was not used
        counts(text)
    assert server.asked == 4


def test_no_text_is_kept() -> None:
    counts = counter(Server())
    counts.within(1)("a secret text")
    assert b"secret" not in repr(vars(counts)).encode()


@pytest.mark.parametrize(
    ("response", "count"),
    [
        ({"tokens": [1, 2, 3]}, 3),
        ({"count": 2, "tokens": [1, 2]}, 2),
        ({"count": 4}, 4),
        ([{"id": 1}, {"id": 2}], 2),
        ({}, None),
        ({"count": True}, None),
        ("x", None),
        (None, None),
    ],
)
def test_the_forms_of_responses(response: object, count: int | None) -> None:
    assert parse_count(response) == count
