"""The JSON documents of an answer's body, whichever way the server chose to send them."""

import itertools
import json
from collections.abc import Iterator
from typing import Final, Protocol

from inference.model_errors import ModelBadReply
from inference.sse import SseDecoder

DONE: Final = "[DONE]"


class Body(Protocol):
    """The bytes of an answer while they come in."""

    def __iter__(self) -> Iterator[bytes]: ...

    def has_more(self) -> bool:
        """Tell whether the next bytes are here already."""


class Documents:
    """An iterator over JSON documents; `is_stream` is known from the first one on.

    `has_more` tells whether the next document, or the end, is here already.
    The body tells by its first character what it is: servers that ignore `stream` also forget
    about the content type. `DONE` is given out as it stands, since it ends a stream for certain.
    """

    def __init__(self, body: Body) -> None:
        self._body = iter(body)
        self._has_more_bytes = body.has_more
        self.is_stream = True
        self.has_more = False

    def __iter__(self) -> Iterator[object]:
        """Yield each document as soon as it is complete; `ModelBadReply` for what is not JSON."""
        start = b""
        for chunk in self._body:
            start += chunk
            if start.lstrip():
                break
        if start.lstrip()[:1] in (b"{", b"["):
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
    """Parse one JSON document; `ModelBadReply` if it is none, also if it is nested too deeply."""
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelBadReply from error
    return document


def _event(data: str) -> object:
    return DONE if data.strip() == DONE else parse_json(data)
