"""One request to a model: an iterator over the pieces of the reply, which can be cancelled."""

import contextlib
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Final, Self

from inference.cancellable_http import Call
from inference.dialect import Chunk, Dialect, FinishReason, ModelRequest, Usage
from inference.error_responses import error_in_event, error_of_status, parse_retry_after
from inference.event_stream import DONE, JsonEvents, parse_json
from inference.model_errors import ModelBadReply, ModelError, ModelNoAnswer
from inference.reply_text import ReplyText
from inference.transport import ModelResponse, Transport

# After the last token a server has nothing left to compute, so the rest arrives at once.
AFTER_END_TIMEOUT_S: Final = 0.25
FAILURE_BODY_TIMEOUT_S: Final = 2.0
MAX_FAILURE_BYTES: Final = 65_536


class Generation(Iterator[str]):
    """The pieces of one reply in the order of generation, after its `beginning` if it has one.

    An empty piece means that the model reasons: text before it is no part of the reply.
    The request is sent when the first piece is requested. Iterating raises `ModelError`, or
    `GenerationCancelled` after `cancel`. `finish_reason` and `usage` are set at the end.
    `has_more` is true if the next piece, or the end, is already received.
    Leaving the context before the end closes the connection, which stops the model.
    """

    def __init__(
        self,
        transport: Transport,
        dialect: Dialect,
        request: ModelRequest,
        request_id: str | None = None,
        beginning: str = "",
    ) -> None:
        self.finish_reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.has_more = False
        self._transport = transport
        self._dialect = dialect
        self._request = request
        self._request_id = request_id
        self._call = Call()
        self._text = ReplyText(request.prompt, dialect.stops, beginning)
        self._has_text = False
        self._is_empty = not beginning
        self._has_reasoned = False
        self._pieces = self._run()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the call, from the thread that iterates. Does nothing after the end."""
        self._pieces.close()

    def cancel(self) -> None:
        """Stop the model, from any thread and at any moment; does nothing after the end.

        The connection is closed at once, and the iterating thread gets `GenerationCancelled`.
        """
        self._call.cancel()

    def _run(self) -> Generator[str, None, None]:
        self._call.check()
        try:
            response = self._transport.post(self._request.payload, self._call, self._request_id)
            with response:
                if response.status != 200:
                    raise _failure(response)
                yield from self._read_reply(response)
        finally:
            self._call.detach()

    def _read_reply(self, response: ModelResponse) -> Iterator[str]:
        events = JsonEvents(response)
        chunks = map(self._parse_event, events)
        for chunk in chunks:
            piece = self._take(chunk)
            self.has_more = events.has_more
            if self._text.took_reasoning or (chunk.reasoning and self._is_empty):
                self._is_empty = self._has_reasoned = True
                yield ""
            if piece:
                self._is_empty = False
                yield piece
            if not events.is_stream:
                self.finish_reason = self.finish_reason or "stop"
            if self.finish_reason or self._text.is_stopped or self._text.is_cut:
                break
        if rest := self._text.end():
            self._is_empty, self.has_more = False, True
            yield rest
        if self._text.is_cut:
            self.finish_reason = "length"
        is_complete = self.finish_reason is not None or self._text.is_stopped
        if is_complete and self._is_empty and self._has_reasoned:
            raise ModelNoAnswer
        if self._is_empty or not is_complete:
            raise ModelBadReply
        if self._text.is_cut:
            return
        self._finish(response, chunks)

    def _parse_event(self, event: object) -> Chunk:
        self._call.check()
        if event == DONE:
            return Chunk(finish_reason="stop")
        if error := error_in_event(event):
            raise error
        return self._dialect.parse_event(event)

    def _take(self, chunk: Chunk) -> str:
        self.usage = chunk.usage or self.usage
        self.finish_reason = chunk.finish_reason
        self._has_text = self._has_text or bool(chunk.text)
        self._text.skip(chunk.reasoning)
        # The last event of a stream repeats the reply; without a stream it is the only event.
        return self._text.feed(chunk.text if self._has_text else chunk.whole or "")

    def _finish(self, response: ModelResponse, chunks: Iterator[Chunk]) -> None:
        """Read the rest of the response: the usage, and the end that returns the connection.

        If the stop sequence was found here, the model still generates: close the connection.
        """
        is_model_done = self.finish_reason is not None
        if self._text.is_stopped:
            self.finish_reason = "stop"
        if is_model_done:
            response.limit_rest(AFTER_END_TIMEOUT_S)
            with contextlib.suppress(ModelError):
                for chunk in chunks:
                    self.usage = chunk.usage or self.usage


def _failure(response: ModelResponse) -> ModelError:
    """Read the error response, up to a size and a time, and classify it."""
    body = bytearray()
    response.limit_rest(FAILURE_BODY_TIMEOUT_S)
    with contextlib.suppress(ModelError):
        for chunk in response:
            body += chunk
            if len(body) > MAX_FAILURE_BYTES:
                break
    event: object = None
    with contextlib.suppress(ModelBadReply):
        event = parse_json(bytes(body))
    return error_of_status(response.status, event, parse_retry_after(response.retry_after))
