"""Every line is a message; every reply is a line, in the same order."""

import asyncio
from collections.abc import AsyncIterator
from typing import TextIO

from chat.cli.chat_client import TRY_AGAIN, ChatClient, Frame
from chat.cli.lines import readable, until_one_ends


class PipedChat:
    """Writes replies to `output` when they are whole; what went wrong goes to `errors`."""

    def __init__(self, client: ChatClient, output: TextIO, errors: TextIO) -> None:
        self._client, self._output, self._errors = client, output, errors
        self._waiting: set[str] = set()
        self._stirred = asyncio.Event()
        self.failures = 0

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Return when every line has its answer; raises ConnectionError if the session is over."""
        await until_one_ends(self._say(lines), self._listen())

    async def _say(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.strip():
                self._waiting.add(await self._client.send(line))
        while self._waiting:
            self._stirred.clear()
            await self._stirred.wait()

    async def _listen(self) -> None:
        async for frame in self._client.frames():
            self._hear(frame)
            self._stirred.set()

    def _hear(self, frame: Frame) -> None:
        match frame:
            case {"type": "reply.completed", "message": message}:
                if self._is_answered(message["reply_to"]):
                    print(readable(message["msg"]), file=self._output, flush=True)
            case {"type": "reply.failed", "message": message}:
                if self._is_answered(message["reply_to"]):
                    self._fail(message["error"]["detail"])
            case {"type": "error", "code": code, "ref": ref} if code not in TRY_AGAIN:
                if self._is_answered(ref):
                    self._fail(frame["detail"])
            case {"type": "connection.lost"}:
                print("Connection lost. Trying again ...", file=self._errors, flush=True)

    def _is_answered(self, message: str) -> bool:
        was_waiting = message in self._waiting
        self._waiting.discard(message)
        return was_waiting

    def _fail(self, detail: str) -> None:
        self.failures += 1
        print(detail, file=self._errors, flush=True)
