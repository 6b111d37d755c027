"""Parse the JSON values in a response's body: server-sent events, or one complete value.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
Only `data` matters here; event names, ids and comments are ignored.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Final, Protocol

from inference.model_errors import ModelBadReply

DONE: Final = "[DONE]"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class SseDecoder:
    """Decodes bytes, split anywhere, into the data of whole events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._data: list[bytes] = []
        self._is_first_line = True
        self._skip_lf = False

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of each event that `chunk` completes, in order."""
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        self._buffer += chunk
        # Without this, a long line in many small chunks is searched from its start for each chunk.
        if b"\n" not in chunk and b"\r" not in chunk:
            return []
        self._skip_lf = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(self._buffer)
        self._buffer = bytearray(rest)
        return [event for line in lines if (event := self._take_line(bytes(line))) is not None]

    def finish(self) -> list[str]:
        """Return the last event of a stream that ended without its blank line, if there is one."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        self._take_line(rest)
        event = self._take_line(b"")
        return [] if event is None else [event]

    def _take_line(self, line: bytes) -> str | None:
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        return None

    def _dispatch(self) -> str | None:
        if not self._data:
            return None
        data, self._data = b"\n".join(self._data), []
        return data.decode("utf-8", errors="replace")


class Body(Protocol):
    """The bytes of a response as they arrive."""

    def __iter__(self) -> Iterator[bytes]: ...

    def has_more(self) -> bool:
        """Return whether the next bytes are already received."""


class JsonEvents:
    """The JSON values of a response's body: the data of its events, or the complete body.

    `is_stream` is set before the first value is yielded. `has_more` is true if the next value, or
    the end, is already received. The first character of the body decides whether it is a stream,
    because servers that ignore `stream` often send a wrong content type, too. `DONE` is yielded as
    it is.
    """

    def __init__(self, body: Body) -> None:
        self._body = iter(body)
        self._has_more_bytes = body.has_more
        self.is_stream = True
        self.has_more = False

    def __iter__(self) -> Iterator[object]:
        """Yield each event as soon as it is complete; raises ModelBadReply if it is not JSON."""
        start = b""
        for chunk in self._body:
            # Leading white space is dropped: collecting it byte by byte would take quadratic time.
            if start := chunk.lstrip():
                break
        if start[:1] in (b"{", b"["):
            self.is_stream = False
            self.has_more = True
            yield parse_json(start + b"".join(self._body))
        else:
            yield from self._events(start)

    def _events(self, start: bytes) -> Iterator[object]:
        decoder = SseDecoder()
        for chunk in itertools.chain([start], self._body):
            events = decoder.feed(chunk)
            for number, event in enumerate(events, start=1):
                self.has_more = number < len(events) or self._has_more_bytes()
                yield _event(event)
        yield from map(_event, decoder.finish())


def parse_json(text: str | bytes) -> object:
    """Parse JSON; raises ModelBadReply if it is invalid or nested too deeply."""
    try:
        event: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelBadReply from error
    return event


def _event(data: str) -> object:
    return DONE if data.strip() == DONE else parse_json(data)
