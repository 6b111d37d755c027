"""One running call to a model: pieces of text out, and a way to stop it."""

import contextlib
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Final, Self

from inference.call import Call
from inference.dialect import Chunk, Dialect, FinishReason, ModelRequest, Usage
from inference.error_responses import failure_in, failure_of_status, parse_retry_after
from inference.model_errors import ModelBadReply, ModelError
from inference.reply_text import ReplyText
from inference.response_body import DONE, Documents, parse_json
from inference.transport import Answer, Transport
from inference.watchdog import Watchdog

# After its last token a server has nothing to compute: what is late now does not come.
AFTER_END_TIMEOUT_S: Final = 0.25
FAILURE_BODY_TIMEOUT_S: Final = 2.0
MAX_FAILURE_BYTES: Final = 65_536


class Generation(Iterator[str]):
    """The pieces of one reply, none of them empty, as the model writes them.

    The request is sent when the first piece is asked for. Iterating raises `ModelError`, or
    `GenerationCancelled` after `cancel`. `finish_reason` and `usage` are known after the end.
    `has_more` tells whether what follows a piece, another or the end, is here already.
    Leaving it as a context manager before the end closes the connection, which stops the model.
    """

    def __init__(
        self,
        transport: Transport,
        dialect: Dialect,
        ask: ModelRequest,
        call: Call,
        watchdog: Watchdog,
    ) -> None:
        self.finish_reason: FinishReason | None = None
        self.usage: Usage | None = None
        self.has_more = False
        self._transport = transport
        self._dialect = dialect
        self._ask = ask
        self._call = call
        self._watchdog = watchdog
        self._text = ReplyText(ask.prompt, dialect.stop)
        self._has_text = False
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
        self._watchdog.watch(self._call)
        try:
            with self._transport.post(self._ask.payload, self._call) as answer:
                if answer.status != 200:
                    raise _failure(answer)
                yield from self._read(answer)
        finally:
            self._watchdog.dismiss(self._call)
            self._call.detach()

    def _read(self, answer: Answer) -> Iterator[str]:
        documents = Documents(answer)
        chunks = map(self._read_document, documents)
        has_spoken = False
        for chunk in chunks:
            if piece := self._take(chunk):
                has_spoken = True
                self.has_more = documents.has_more
                yield piece
            if not documents.is_stream:
                self.finish_reason = self.finish_reason or "stop"
            if self.finish_reason or self._text.is_cut:
                break
        if rest := self._text.end():
            has_spoken = self.has_more = True
            yield rest
        if not has_spoken or not (self.finish_reason or self._text.is_cut):
            raise ModelBadReply
        self._settle(answer, chunks)

    def _read_document(self, document: object) -> Chunk:
        self._call.check()
        if document == DONE:
            return Chunk(finish_reason="stop")
        if failure := failure_in(document):
            raise failure
        return self._dialect.read(document)

    def _take(self, chunk: Chunk) -> str:
        self.usage = chunk.usage or self.usage
        self.finish_reason = chunk.finish_reason
        self._has_text = self._has_text or bool(chunk.text)
        # The last event of a stream repeats the whole text; alone, it is the text.
        return self._text.feed(chunk.text if self._has_text else chunk.whole or "")

    def _settle(self, answer: Answer, chunks: Iterator[Chunk]) -> None:
        """Read what follows a finished reply: usage, and the end that frees the connection.

        A reply that was cut off here is not finished there: that connection is closed instead.
        """
        is_finished_there = self.finish_reason is not None
        if self._text.is_cut:
            self.finish_reason = "stop"
        if is_finished_there:
            answer.hurry(AFTER_END_TIMEOUT_S)
            with contextlib.suppress(ModelError):
                for chunk in chunks:
                    self.usage = chunk.usage or self.usage


def _failure(answer: Answer) -> ModelError:
    """Read what the server says about its failure, as far as it does so briefly."""
    body = bytearray()
    answer.hurry(FAILURE_BODY_TIMEOUT_S)
    with contextlib.suppress(ModelError):
        for chunk in answer:
            body += chunk
            if len(body) > MAX_FAILURE_BYTES:
                break
    document: object = None
    with contextlib.suppress(ModelBadReply):
        document = parse_json(bytes(body))
    return failure_of_status(answer.status, document, parse_retry_after(answer.retry_after))
