"""Turns a request and a behaviour into the bytes, delays and faults of a response. Pure."""

import itertools
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from tests.model_stub.behaviour import Behaviour
from tests.model_stub.dialects import Dialect, encode_event

# Bytes to send, seconds to wait, or a fault that ends the connection.
Step = bytes | float | Literal["hold", "reset", "close", "hang"]
LAST_CHUNK = b"0\r\n\r\n"
FILLER = b" " * 65_536


def response_steps(
    dialect: Dialect, payload: dict[str, Any], behaviour: Behaviour
) -> Iterator[Step]:
    """Yield the steps of the response to `payload`. KeyError if it is not of this dialect."""
    response = _Response(dialect, payload, behaviour)
    if behaviour.delay_s:
        yield behaviour.delay_s
    yield from response.fault(0)
    if behaviour.filler_bytes is not None:
        yield from _filler(behaviour, behaviour.filler_bytes)
    elif (body := response.single_body()) is not None:
        yield from _single(behaviour, body)
    else:
        yield from response.stream()


def json_response(status: int, document: Any) -> bytes:
    """Return a complete JSON response, as the control routes send it."""
    body = json.dumps(document).encode()
    return _head(status, {"Content-Type": "application/json"}, len(body)) + body


class _Response:
    def __init__(self, dialect: Dialect, payload: dict[str, Any], behaviour: Behaviour) -> None:
        self._dialect = dialect
        self._behaviour = behaviour
        self._pieces = list(behaviour.pieces or ())
        if behaviour.pieces is None:
            text = behaviour.text
            if text is None:
                text = f"You said: {dialect.last_human_text(payload)}"
                text = text.removeprefix(dialect.beginning(payload))
            self._pieces = re.findall(r"\s*\S+\s*?", text) or [text]
        if behaviour.echo_prompt:
            self._pieces.insert(0, dialect.prompt(payload))

    def fault(self, after: int) -> Iterator[Step]:
        """Yield the pause or the fault that follows this many pieces, if there is one."""
        if self._behaviour.hold_after == after:
            yield "hold"
        if self._behaviour.reset_after == after:
            yield "reset"
        if self._behaviour.close_after == after:
            yield "close"
        if self._behaviour.hang_after == after:
            yield "hang"

    def single_body(self) -> str | None:
        """Return the body of a response that is not a stream, None for a stream."""
        behaviour = self._behaviour
        if behaviour.raw is not None:
            return behaviour.raw
        if behaviour.error is not None and behaviour.error_after is None:
            return json.dumps(self._error())
        if behaviour.shape == "stream" and behaviour.status == 200:
            return None
        as_array = behaviour.shape == "array"
        text = "".join(self._pieces)
        document = self._dialect.document(text, behaviour.finish_reason, as_array=as_array)
        if behaviour.reasoning:
            reasoning = "".join(behaviour.reasoning)
            self._dialect.with_reasoning(document, reasoning, behaviour.reasoning_field)
        return json.dumps(document)

    def stream(self) -> Iterator[Step]:
        behaviour = self._behaviour
        yield _head(200, {"Content-Type": "text/event-stream", **behaviour.headers}, None)
        if behaviour.truncate:
            body = b"".join(step for step in self._events() if isinstance(step, bytes))
            yield _chunked(body[: len(body) // 2], behaviour)
        else:
            for step in self._events():
                yield _chunked(step, behaviour) if isinstance(step, bytes) else step
        if behaviour.hang_at_end:
            yield "hang"
        yield LAST_CHUNK

    def _events(self) -> Iterator[Step]:
        behaviour = self._behaviour
        for reasoning in behaviour.reasoning:
            if behaviour.piece_delay_s:
                yield behaviour.piece_delay_s
            event = self._dialect.reasoning_event(reasoning, behaviour.reasoning_field)
            yield encode_event(event)
        pieces = itertools.cycle(self._pieces) if behaviour.endless else self._pieces
        for number, piece in enumerate(pieces, start=1):
            if behaviour.piece_delay_s:
                yield behaviour.piece_delay_s
            yield encode_event(self._dialect.piece_event(piece))
            yield from self.fault(number)
            if behaviour.error_after == number:
                yield encode_event(self._error())
                return
        if behaviour.finish_reason is not None:
            ends = self._dialect.end_events(self._pieces, behaviour.finish_reason)
            yield from map(encode_event, ends)
        if behaviour.done:
            yield encode_event("[DONE]")

    def _error(self) -> dict[str, Any]:
        return {"error": self._behaviour.error, **self._behaviour.error_fields}


def _single(behaviour: Behaviour, text: str) -> Iterator[Step]:
    body = text.encode("utf-8", "surrogatepass")
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
