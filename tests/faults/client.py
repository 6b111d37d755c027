"""A chat.v1 client as it should be: it comes back after every cut and loses nothing.

It reconnects with `after`, sends again what was not accepted, under the same id, and writes down
all it is told.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.faults.marks import WORDS, marked_text
from tests.faults.view import Frame, View

CHAT_V1 = Subprotocol("chat.v1")
AGAIN_S = (0.1, 1.0)
RESEND_AFTER_S = 2.0
TELLS_OF_MESSAGES = {"session.ready", "message.accepted", "reply.completed", "reply.failed"}


@dataclass
class Sent:
    """One message of a client; instants are by the monotonic clock."""

    text: str
    id: str = field(default_factory=lambda: str(uuid4()))
    sent_at: float = field(default_factory=time.monotonic)
    tried_at: float = 0.0
    accepted_at: float | None = None
    answered_at: float | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Client:
    """One session's client. `address` is asked at each connect, so that it can lead elsewhere."""

    def __init__(self, mark: str, token: str, address: Callable[[], str]) -> None:
        self.mark = mark
        self.token = token
        self.view = View(mark)
        self.sent: list[Sent] = []
        self.errors: list[Frame] = []
        self.types: dict[str, int] = {}
        self.closes: list[int] = []
        self.expired = asyncio.Event()
        self.ping_interval_s: float | None = 5
        self.heard = asyncio.Condition()
        self._address = address
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Client":
        self._tasks = [asyncio.create_task(self._stay()), asyncio.create_task(self._insist())]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    async def say(self, words: str = WORDS) -> Sent:
        """Send the next message, as soon as that can be."""
        sent = Sent(marked_text(self.mark, len(self.sent) + 1, words))
        self.sent.append(sent)
        await self._try(sent)
        return sent

    async def ask(self, words: str = WORDS) -> Sent:
        """Send the next message and wait for its reply or failure."""
        sent = await self.say(words)
        await sent.answered.wait()
        return sent

    def last_error(self) -> str | None:
        """Return the code with which the last message failed."""
        outcome = self.view.outcome_of(self.sent[-1].id) or {}
        return str(outcome["error"]["code"]) if "error" in outcome else None

    async def send(self, frame: Frame) -> None:
        """Send any frame, if there is a connection."""
        if self._socket is not None:
            try:
                await self._socket.send(json.dumps(frame))
            except WebSocketException:
                return

    async def until(self, condition: Callable[[], object], within_s: float = 30) -> None:
        """Wait until what was heard makes `condition` true; TimeoutError if it does not."""
        async with asyncio.timeout(within_s), self.heard:
            await self.heard.wait_for(lambda: bool(condition()))

    async def _try(self, sent: Sent) -> None:
        sent.tried_at = time.monotonic()
        await self.send({"type": "message.send", "id": sent.id, "msg": sent.text})

    async def _stay(self) -> None:
        while not self.expired.is_set():
            with suppress(OSError, WebSocketException, TimeoutError):
                await self._listen()
            await asyncio.sleep(random.uniform(*AGAIN_S))

    async def _listen(self) -> None:
        url = f"{self._address()}?token={self.token}&after={self.view.last_seq}"
        async with connect(
            url,
            subprotocols=[CHAT_V1],
            compression=None,
            open_timeout=5,
            close_timeout=1,
            ping_interval=self.ping_interval_s,
            ping_timeout=10,
            proxy=None,
        ) as socket:
            try:
                async for text in socket:
                    await self._hear(str(text), socket)
            finally:
                self._socket = None
                self.closes.append(socket.close_code or 1006)

    async def _hear(self, text: str, socket: ClientConnection) -> None:
        frame = json.loads(text)
        self.types[frame["type"]] = self.types.get(frame["type"], 0) + 1
        self.view.hear(text, frame)
        if frame["type"] in TELLS_OF_MESSAGES:
            self._note()
        match frame["type"]:
            case "session.ready":
                self._socket = socket
                for sent in self._open():
                    await self._try(sent)
            case "session.expired":
                self.expired.set()
            case "error":
                self.errors.append(frame)
                if frame["code"] == "session.unknown":
                    self.expired.set()
        async with self.heard:
            self.heard.notify_all()

    def _note(self) -> None:
        """Compare what was sent with what the session is known to hold."""
        now = time.monotonic()
        for sent in self.sent:
            if not self.view.knows(sent.id):
                sent.accepted_at = sent.answered_at = None
                sent.answered.clear()
                continue
            sent.accepted_at = sent.accepted_at or now
            if sent.answered_at is None and self.view.outcome_of(sent.id):
                sent.answered_at = now
                sent.answered.set()

    def _open(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.accepted_at is None]

    async def _insist(self) -> None:
        """Send again what was refused or never confirmed."""
        while True:
            await asyncio.sleep(RESEND_AFTER_S / 4)
            now = time.monotonic()
            for sent in self._open():
                if now - sent.tried_at > RESEND_AFTER_S:
                    await self._try(sent)
