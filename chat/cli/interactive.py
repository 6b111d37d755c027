"""A conversation in a terminal: replies stream in while the next line may be typed."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Any, TextIO

from chat.cli.chat_client import RETRIED_CODES, ChatClient, Frame
from chat.cli.lines import printable, until_one_ends
from chat.cli.version_commands import VersionCommands

HELP = (
    "/stop stops the reply, /retry regenerates it, /continue goes on with it, /good and /bad rate"
    " it, a comment may follow, /unrate revokes that. /edit TEXT replaces your last message,"
    " /versions lists what was replaced, /choose NUMBER brings it back. /extend keeps the"
    " conversation open, /quit exits."
)
PROMPT = "> "
RATINGS = {"/good": "up", "/bad": "down", "/unrate": None}
RATED = {"up": "Rated as good.", "down": "Rated as bad.", None: "The rating is revoked."}


class InteractiveChat:
    """Prints a session to `output`; `paint(kind, text)` colours a prompt, bot or note."""

    def __init__(
        self, client: ChatClient, output: TextIO, paint: Callable[[str, str], str]
    ) -> None:
        self._client, self._output, self._paint = client, output, paint
        self._pending: dict[str, None] = {}  # messages without a reply, oldest first
        self._typed: set[str] = set()  # messages that the terminal shows already
        self._last_message = self._last_reply = ""
        self._versions = VersionCommands(client)
        self._thinking = ""  # the last reply before which the model reasoned
        self._reply, self._printed = "", ""  # the reply on the screen, and its text so far
        self._in_line = False  # the cursor is not at the start of a line
        self._greeted, self._disconnected, self._has_workers = False, False, True
        self._quit = asyncio.Event()

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Return when the user quits; raises ConnectionError when the session has ended."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: self._start(self._interrupt()))
        try:
            await until_one_ends(self._read(lines), self._receive(), self._wait_for_quit())
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            self._print("")

    async def _wait_for_quit(self) -> None:
        await self._quit.wait()

    async def _read(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            self._in_line = False  # the terminal has echoed the line and its end
            match line.strip():
                case "":
                    pass
                case "/quit":
                    return
                case "/stop":
                    await self._stop()
                case "/retry":
                    await self._client.transmit("reply.regenerate", reply_to=self._last_message)
                    continue
                case "/continue":
                    await self._client.transmit("reply.continue", reply_to=self._last_message)
                    continue
                case "/versions":
                    self._note(await self._versions.list_versions())
                case edit if edit.startswith("/edit "):
                    self._add_sent(await self._versions.edit(edit.removeprefix("/edit ").strip()))
                case choice if choice.startswith("/choose"):
                    self._note(await self._versions.choose(choice.removeprefix("/choose").strip()))
                case "/extend":
                    await self._client.transmit("session.extend")
                    continue
                case command if command.partition(" ")[0] in RATINGS:
                    await self._rate(command)
                case "/help":
                    self._note(HELP)
                case command if command.startswith("/"):
                    self._note(f"Unknown command {printable(command.split()[0])}. {HELP}")
                case _:
                    self._add_sent(await self._client.send(line))
            self._prompt()

    def _add_sent(self, message: str | None) -> None:
        if message:
            self._typed.add(message)
            self._pending[message] = None

    async def _stop(self) -> None:
        for message in list(self._pending)[:1]:
            await self._client.transmit("reply.stop", reply_to=message)

    async def _rate(self, command: str) -> None:
        name, _, comment = command.partition(" ")
        if self._last_reply:
            rating = {"rating": RATINGS[name], "comment": comment.strip() or None}
            await self._client.transmit("reply.rate", id=self._last_reply, **rating)
        else:
            self._note("There is no reply yet.")

    async def _interrupt(self) -> None:
        """Handle Ctrl-C: stop the reply, or quit if there is none."""
        if self._pending:
            await self._stop()
        else:
            self._quit.set()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._interrupting = asyncio.create_task(coroutine)  # keeps a reference until it is done

    async def _receive(self) -> None:
        async for frame in self._client.frames():
            self._show(frame)
            # Frames that arrive together, such as the history, are shown before the next prompt.
            asyncio.get_running_loop().call_soon(self._prompt)

    def _show(self, frame: Frame) -> None:
        self._note(self._versions.receive(frame))
        match frame["type"]:
            case "session.ready":
                self._show_ready(frame)
            case "message.accepted":
                self._show_message(frame["message"])
            case "reply.started":
                if self._reply:
                    self._note("The reply starts again.")
                self._show_reply_start(frame)
            case "reply.delta":
                self._printed += frame["text"]
                self._write(printable(frame["text"]))
            case "reply.completed" | "reply.failed":
                self._show_reply_end(frame["message"])
            case "error":
                self._note(frame["detail"])
                if frame["code"] not in RETRIED_CODES:
                    self._pending.pop(frame["ref"], None)
            case _:
                self._show_status(frame)

    def _show_ready(self, ready: Frame) -> None:
        if not self._greeted:
            self._note(f"Hi {printable(ready['name'])}, what would you like to talk about?")
            self._note(HELP)
            if ready["has_earlier"]:
                self._note("Only the latest messages of this conversation are shown.")
        elif self._disconnected:
            self._note("Reconnected.")
        else:
            self._note(f"This conversation now expires at {local_time(ready['expires_at'])}.")
        self._greeted, self._disconnected = True, False

    def _show_status(self, frame: Frame) -> None:
        match frame:
            case {"type": "connection.lost"} if not self._disconnected:
                self._disconnected = True
                self._note("Connection lost. Reconnecting ...")
            case {"type": "reply.queued"}:
                self._show_queue(frame)
            case {"type": "reply.rated", "id": reply} if reply == self._last_reply:
                self._note(RATED[frame["rating"]])
            case {"type": "model.loading", "retry_in_s": retry_in_s}:
                self._note(f"The model is loading. Retrying in {retry_in_s:.0f} s.")
            case {"type": "reply.thinking", "id": reply} if reply != self._thinking:
                self._thinking = reply
                self._write(self._paint("note", "(thinking) "))
            case {"type": "session.expiring", "expires_at": expires_at}:
                time = local_time(expires_at)
                self._note(f"This conversation expires at {time}. Type /extend to keep it open.")
            case {"type": "operator.joined", "name": name}:
                self._note(f"{printable(name)}, a person, has joined and answers from now on.")
            case {"type": "operator.left", "name": name}:
                self._note(f"{printable(name)} has left. The model answers again.")
            case {"type": "session.expired"}:
                self._note("This conversation has expired.")

    def _show_queue(self, queued: Frame) -> None:
        self._pending[queued["reply_to"]] = None
        had_workers, self._has_workers = self._has_workers, queued.get("workers") != 0
        ahead = queued["ahead"]
        if had_workers and not self._has_workers:
            self._note("No worker is running. The reply comes once one is back.")
        elif ahead and self._has_workers:
            self._note(f"{ahead} message{'s' if ahead > 1 else ''} ahead.")

    def _show_message(self, message: Frame) -> None:
        self._last_message = message["id"]
        self._pending[message["id"]] = None
        if "replaces" in message:
            self._note("This replaces the earlier message and what followed it:")
        if message["id"] not in self._typed:
            self._print(self._paint("prompt", PROMPT) + printable(message["msg"]))

    def _show_reply_start(self, started: Frame) -> None:
        self._pending[started["reply_to"]] = None
        self._start_line(self._paint("bot", f"{printable(started.get('operator') or 'bot')}: "))
        self._reply, self._printed = started["id"], ""

    def _show_reply_end(self, message: Frame) -> None:
        if message.get("finish_reason") == "answered_together":
            self._pending.pop(message["reply_to"], None)
            return
        if message["id"] != self._reply or not message["msg"].startswith(self._printed):
            self._show_reply_start(message)
        self._pending.pop(message["reply_to"], None)
        self._write(printable(message["msg"].removeprefix(self._printed)))
        self._start_line("")
        self._reply, self._last_reply = "", message["id"]
        if error := message.get("error"):
            advice = " Type /retry to try again." if error["retryable"] else ""
            self._note(error["detail"] + advice)
        elif message["finish_reason"] == "stop_requested":
            self._note("Stopped.")

    def _prompt(self) -> None:
        if self._greeted and not self._pending and not self._in_line:
            self._write(self._paint("prompt", PROMPT))

    def _note(self, text: str) -> None:
        if text:
            self._print(self._paint("note", text))

    def _print(self, text: str) -> None:
        self._start_line(text)
        self._start_line("")

    def _start_line(self, text: str) -> None:
        if self._in_line:
            self._write("\n")
        self._write(text)

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()
        if text:
            self._in_line = not text.endswith("\n")


def local_time(timestamp: str) -> str:
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M")
