"""The JSON documents of an answer's body, whichever way the server chose to send them."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from inference.errors import ModelBadReply
from inference.sse import SseDecoder

DONE: Final = "[DONE]"


class Documents:
    """An iterator over JSON documents; `is_stream` is known from the first one on.

    The body tells by its first character what it is: servers that ignore `stream` also forget
    about the content type. `DONE` is given out as it stands, since it ends a stream for certain.
    """

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = iter(body)
        self.is_stream = True

    def __iter__(self) -> Iterator[object]:
        """Yield each document as soon as it is complete; `ModelBadReply` for what is not JSON."""
        start = b""
        for chunk in self._body:
            start += chunk
            if start.lstrip():
                break
        if start.lstrip()[:1] in (b"{", b"["):
            self.is_stream = False
            yield parse_json(start + b"".join(self._body))
        else:
            yield from self._events(start)

    def _events(self, start: bytes) -> Iterator[object]:
        decoder = SseDecoder()
        yield from map(_event, decoder.feed(start))
        for chunk in self._body:
            yield from map(_event, decoder.feed(chunk))
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
