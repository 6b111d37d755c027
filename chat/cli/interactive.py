"""A person's conversation: the reply streams in, the next line may be typed meanwhile."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TextIO

from chat.cli.chat_client import TRY_AGAIN, ChatClient, Frame
from chat.cli.lines import readable, until_one_ends

HELP = "/stop ends a reply, /retry asks again, /extend gives more time, /quit leaves."
PROMPT = "> "


class InteractiveChat:
    """Shows a session on `output`. `paint(kind, text)` colours a prompt, bot or note."""

    def __init__(
        self, client: ChatClient, output: TextIO, paint: Callable[[str, str], str]
    ) -> None:
        self._client, self._output, self._paint = client, output, paint
        self._pending: dict[str, None] = {}  # messages without an answer, oldest first
        self._mine: set[str] = set()
        self._last = ""  # the last message of the session
        self._writing, self._shown = "", ""  # the reply on the screen, and how much of it
        self._column = 0
        self._met, self._lost = False, False
        self._left = asyncio.Event()

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Return when the person leaves; raises ConnectionError when the session is over."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: self._do_soon(self._interrupt()))
        try:
            await until_one_ends(self._read(lines), self._listen(), self._leave())
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            self._write_line("")

    async def _leave(self) -> None:
        await self._left.wait()

    async def _read(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            self._column = 0  # the terminal has shown the line and its end
            match line.strip():
                case "":
                    pass
                case "/quit":
                    return
                case "/stop":
                    await self._stop()
                case "/retry":
                    await self._client.transmit("reply.regenerate", reply_to=self._last)
                    continue
                case "/extend":
                    await self._client.transmit("session.extend")
                    continue
                case command if command.startswith("/"):
                    self._note(HELP)
                case _:
                    await self._say(line)
            self._prompt()

    async def _say(self, line: str) -> None:
        message = await self._client.send(line)
        self._mine.add(message)
        self._pending[message] = None

    async def _stop(self) -> None:
        for message in list(self._pending)[:1]:
            await self._client.transmit("reply.stop", reply_to=message)

    async def _interrupt(self) -> None:
        """Ctrl-C ends the reply, and the conversation where there is none."""
        if self._pending:
            await self._stop()
        else:
            self._left.set()

    def _do_soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._interrupting = asyncio.create_task(coroutine)

    async def _listen(self) -> None:
        async for frame in self._client.frames():
            self._hear(frame)
            self._prompt()

    def _hear(self, frame: Frame) -> None:
        match frame["type"]:
            case "session.ready":
                self._greet(frame)
            case "message.accepted":
                self._show_message(frame["message"])
            case "reply.started":
                if self._writing:
                    self._note("The reply begins again.")
                self._start_reply(frame)
            case "reply.delta":
                self._shown += frame["text"]
                self._write(readable(frame["text"]))
            case "reply.completed" | "reply.failed":
                self._end_reply(frame["message"])
            case "error":
                self._note(frame["detail"])
                if frame["code"] not in TRY_AGAIN:
                    self._pending.pop(frame["ref"], None)
            case _:
                self._show_state(frame)

    def _greet(self, ready: Frame) -> None:
        if not self._met:
            self._note(f"Hello {readable(ready['name'])}. {HELP}")
        elif self._lost:
            self._note("Connected again.")
        else:
            self._note(f"The session ends at {ready['expires_at']}.")
        self._met, self._lost = True, False

    def _show_state(self, frame: Frame) -> None:
        match frame:
            case {"type": "connection.lost"} if not self._lost:
                self._lost = True
                self._note("Connection lost. Trying again ...")
            case {"type": "reply.queued", "ahead": ahead} if ahead:
                self._note(f"Waiting: {ahead} before this one.")
            case {"type": "model.loading", "retry_in_s": retry_in_s}:
                self._note(f"The model is loading. It is asked again in {retry_in_s:.0f} s.")
            case {"type": "session.expiring", "expires_at": expires_at}:
                self._note(f"The session ends at {expires_at}: /extend gives it more time.")
            case {"type": "session.expired"}:
                self._note("The session is over.")

    def _show_message(self, message: Frame) -> None:
        self._last = message["id"]
        self._pending[message["id"]] = None
        if message["id"] not in self._mine:
            self._write_line(self._paint("prompt", PROMPT) + readable(message["msg"]))

    def _start_reply(self, started: Frame) -> None:
        self._pending[started["reply_to"]] = None
        self._begin_line(self._paint("bot", "bot: "))
        self._writing, self._shown = started["id"], ""

    def _end_reply(self, message: Frame) -> None:
        self._pending.pop(message["reply_to"], None)
        if message["id"] != self._writing or not message["msg"].startswith(self._shown):
            self._start_reply(message)
            self._pending.pop(message["reply_to"], None)
        self._write(readable(message["msg"].removeprefix(self._shown)))
        self._begin_line("")
        self._writing = ""
        if error := message.get("error"):
            self._note(error["detail"] + (" /retry asks again." if error["retryable"] else ""))
        elif message["finish_reason"] == "stop_requested":
            self._note("Stopped.")

    def _prompt(self) -> None:
        if self._met and not self._pending and not self._column:
            self._write(self._paint("prompt", PROMPT))

    def _note(self, text: str) -> None:
        self._write_line(self._paint("note", text))

    def _write_line(self, text: str) -> None:
        self._begin_line(text)
        self._begin_line("")

    def _begin_line(self, text: str) -> None:
        if self._column:
            self._write("\n")
            self._column = 0
        self._write(text)

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
        if text:
            self._column = 0 if text.endswith("\n") else 1
