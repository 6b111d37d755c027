"""Messages from a pipe: each line is a message, each reply is a line, in the same order."""

import asyncio
from collections.abc import AsyncIterator
from typing import TextIO

from chat.cli.chat_client import RETRIED_CODES, ChatClient, Frame
from chat.cli.lines import printable, until_one_ends


class PipedChat:
    """Writes complete replies to `output` and failures to `errors`."""

    def __init__(self, client: ChatClient, output: TextIO, errors: TextIO) -> None:
        self._client, self._output, self._errors = client, output, errors
        self._pending: set[str] = set()
        self._received = asyncio.Event()
        self.failures = 0

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Return when every line has an outcome; raises ConnectionError if the session ends."""
        await until_one_ends(self._send(lines), self._receive())

    async def _send(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.strip():
                self._pending.add(await self._client.send(line))
        while self._pending:
            self._received.clear()
            await self._received.wait()

    async def _receive(self) -> None:
        async for frame in self._client.frames():
            self._print(frame)
            self._received.set()

    def _print(self, frame: Frame) -> None:
        match frame:
            case {"type": "reply.completed", "message": message}:
                if self._remove_pending(message["reply_to"]):
                    print(printable(message["msg"]), file=self._output, flush=True)
            case {"type": "reply.failed", "message": message}:
                if self._remove_pending(message["reply_to"]):
                    self._fail(message["error"]["detail"])
            case {"type": "error", "code": code, "ref": ref} if code not in RETRIED_CODES:
                if self._remove_pending(ref):
                    self._fail(frame["detail"])
            case {"type": "connection.lost"}:
                print("Connection lost. Reconnecting ...", file=self._errors, flush=True)

    def _remove_pending(self, message: str) -> bool:
        was_pending = message in self._pending
        self._pending.discard(message)
        return was_pending

    def _fail(self, detail: str) -> None:
        self.failures += 1
        print(detail, file=self._errors, flush=True)
