"""What is sent for a request and a behaviour, step by step. Pure."""

import itertools
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from tests.model_stub.behaviour import Behaviour
from tests.model_stub.dialects import Dialect, event

# Bytes to send, seconds to wait, or a fault that ends the connection.
Step = bytes | float | Literal["reset", "close", "hang"]
LAST_CHUNK = b"0\r\n\r\n"
FILLER = b" " * 65_536


def steps(dialect: Dialect, payload: dict[str, Any], behaviour: Behaviour) -> Iterator[Step]:
    """Yield the steps of the response to `payload`. KeyError if it is not of this dialect."""
    answer = _Answer(dialect, payload, behaviour)
    if behaviour.delay_s:
        yield behaviour.delay_s
    yield from answer.fault(0)
    if behaviour.filler_bytes is not None:
        yield from _filler(behaviour, behaviour.filler_bytes)
    elif (document := answer.single_body()) is not None:
        yield from _single(behaviour, document)
    else:
        yield from answer.stream()


def plain(status: int, document: Any) -> bytes:
    """Write a small JSON response, as the control routes send it."""
    body = json.dumps(document).encode()
    return _head(status, {"Content-Type": "application/json"}, len(body)) + body


class _Answer:
    def __init__(self, dialect: Dialect, payload: dict[str, Any], behaviour: Behaviour) -> None:
        self._dialect = dialect
        self._is = behaviour
        self._pieces = list(behaviour.pieces or ())
        if behaviour.pieces is None:
            said = behaviour.text
            words = f"You said: {dialect.last_human(payload)}" if said is None else said
            self._pieces = re.findall(r"\s*\S+\s*?", words) or [words]
        if behaviour.echo_prompt:
            self._pieces.insert(0, dialect.prompt(payload))

    def fault(self, after: int) -> Iterator[Step]:
        if self._is.reset_after == after:
            yield "reset"
        if self._is.close_after == after:
            yield "close"
        if self._is.hang_after == after:
            yield "hang"

    def single_body(self) -> str | None:
        """The body of a response that is not streamed."""
        if self._is.raw is not None:
            return self._is.raw
        if self._is.error is not None and self._is.error_after is None:
            return json.dumps(self._error())
        if self._is.shape == "stream" and self._is.status == 200:
            return None
        as_array = self._is.shape == "array"
        text = "".join(self._pieces)
        return json.dumps(self._dialect.whole(text, self._is.finish_reason, as_array=as_array))

    def stream(self) -> Iterator[Step]:
        yield _head(200, {"Content-Type": "text/event-stream", **self._is.headers}, None)
        if self._is.truncate:
            body = b"".join(one for one in self._events() if isinstance(one, bytes))
            yield self._chunk(body[: len(body) // 2])
        else:
            for one in self._events():
                yield self._chunk(one) if isinstance(one, bytes) else one
        if self._is.hang_at_end:
            yield "hang"
        yield LAST_CHUNK

    def _events(self) -> Iterator[Step]:
        pieces = itertools.cycle(self._pieces) if self._is.endless else self._pieces
        for number, piece in enumerate(pieces, start=1):
            if self._is.piece_delay_s:
                yield self._is.piece_delay_s
            yield event(self._dialect.piece(piece))
            yield from self.fault(number)
            if self._is.error_after == number:
                yield event(self._error())
                return
        if self._is.finish_reason is not None:
            ends = self._dialect.end(self._pieces, self._is.finish_reason)
            yield from map(event, ends)
        if self._is.done:
            yield event("[DONE]")

    def _error(self) -> dict[str, Any]:
        return {"error": self._is.error, **self._is.error_fields}

    def _chunk(self, data: bytes) -> bytes:
        return _chunked(data, self._is)


def _single(behaviour: Behaviour, document: str) -> Iterator[Step]:
    body = document.encode("utf-8", "surrogatepass")
    if behaviour.truncate:
        body = body[: len(body) // 2]
    headers = {"Content-Type": "application/json", **behaviour.headers}
    if behaviour.split_bytes:
        yield _head(behaviour.status, headers, None)
        yield _chunked(body, behaviour) + LAST_CHUNK
    else:
        yield _head(behaviour.status, headers, len(body)) + body


def _filler(behaviour: Behaviour, size: int) -> Iterator[Step]:
    headers = {"Content-Type": "application/json", **behaviour.headers}
    yield _head(behaviour.status, headers, size)
    for start in range(0, size, len(FILLER)):
        yield FILLER[: size - start]


def _chunked(data: bytes, behaviour: Behaviour) -> bytes:
    if behaviour.split_bytes:
        return b"".join(b"1\r\n%c\r\n" % byte for byte in data)
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _head(status: int, headers: dict[str, str], length: int | None) -> bytes:
    framing = (
        ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
    )
    lines = [f"{name}: {value}" for name, value in (*headers.items(), framing)]
    return "\r\n".join([f"HTTP/1.1 {status} {_reason(status)}", *lines, "", ""]).encode()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
