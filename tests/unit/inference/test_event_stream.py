"""The decoder of server-sent events."""

import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.event_stream import JsonEvents, SseDecoder

STREAM = (
    "\ufeffdata:no space\n\n"
    ": a comment\n"
    'event: token\nid: 7\ndata: {"text": "é 🎉"}\n\n'
    "data: two\r\ndata: lines\r\n\r\n"
    "data: by returns\r\r"
    "data\n\n"
    "retry: 10\n\n"
    "data: [DONE]\n\n"
    "data: no blank line"
).encode()
EVENTS = ["no space", '{"text": "é 🎉"}', "two\nlines", "by returns", "", "[DONE]", "no blank line"]


def decode(chunks: list[bytes]) -> list[str]:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def test_all_line_endings_and_fields_are_decoded() -> None:
    assert decode([STREAM]) == EVENTS


def test_single_bytes_give_the_same_events() -> None:
    assert decode([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_split_gives_the_same_events(split_at: list[int]) -> None:
    bounds = [0, *sorted(split_at), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in itertools.pairwise(bounds)]
    assert decode(chunks) == EVENTS


@given(st.binary(max_size=300), st.integers(1, 7))
def test_any_bytes_give_the_same_events_in_any_split(data: bytes, width: int) -> None:
    parts = [data[i : i + width] for i in range(0, len(data), width)]
    assert decode(parts) == decode([data])


def test_an_event_is_returned_at_its_blank_line() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: now\n") == []
    assert decoder.feed(b"\n") == ["now"]


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_invalid_utf8_is_replaced(ending: bytes) -> None:
    assert decode([b"data: a\xffb" + ending]) == ["a\ufffdb"]


def test_fields_with_data_as_a_prefix_are_ignored() -> None:
    assert decode([b"datax: 1\n\ndata : 2\n\n"]) == []


class Body:
    """A body in equal chunks."""

    def __init__(self, chunk: bytes, count: int, end: bytes) -> None:
        self._chunks = itertools.chain(itertools.repeat(chunk, count), [end])

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def has_more(self) -> bool:
        return False


@pytest.mark.parametrize("end", [b'{"text": 1}', b'data: {"text": 1}\n\n'])
@pytest.mark.parametrize("chunk", [b" ", b"\n", b"\r"])
def test_leading_white_space_takes_linear_time(chunk: bytes, end: bytes) -> None:
    started = time.process_time()
    assert list(JsonEvents(Body(chunk, 300_000, end))) == [{"text": 1}]
    assert time.process_time() - started < 5
