"""The client of the fault suite: it reconnects after every cut.

It reconnects with `after` and sends messages that were not accepted again, with the same id.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

from websockets.exceptions import WebSocketException

from tests.client import Client
from tests.client_view import Frame
from tests.faults.markers import WORDS, marked_text, markers_in

RECONNECT_S = (0.1, 1.0)
RESEND_AFTER_S = 2.0


@dataclass
class Sent:
    """One message of a client; times are by the monotonic clock."""

    text: str
    id: str = field(default_factory=lambda: str(uuid4()))
    sent_at: float = field(default_factory=time.monotonic)
    tried_at: float = 0.0
    accepted_at: float | None = None
    answered_at: float | None = None
    lost_after_acceptance: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class ResilientClient(Client):
    """One session's client. `address` is called at each connect, so it may change."""

    def __init__(self, marker: str, token: str, address: Callable[[], str]) -> None:
        super().__init__("", token)
        self.marker = marker
        self.sent: list[Sent] = []
        self.errors: list[Frame] = []
        self.types: Counter[str] = Counter()
        self.closes: list[int] = []
        self.foreign: list[str] = []
        self.gaps_s: list[float] = []
        self._left_at: float | None = None
        self.expired = asyncio.Event()
        self.ping_interval_s: float | None = 5
        self._address = address
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "ResilientClient":
        self._tasks = [asyncio.create_task(self._reconnect()), asyncio.create_task(self._resend())]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.close()

    async def send_next(self, words: str = WORDS) -> Sent:
        """Send the next message as soon as possible."""
        sent = Sent(marked_text(self.marker, len(self.sent) + 1, words))
        self.sent.append(sent)
        await self._try(sent)
        return sent

    async def ask(self, words: str = WORDS) -> Sent:
        """Send the next message and wait for its reply or failure."""
        sent = await self.send_next(words)
        await sent.answered.wait()
        return sent

    def last_error(self) -> str | None:
        """Return the code with which the last message failed."""
        outcome = self.view.reply_to(self.sent[-1].id) or {}
        return str(outcome["error"]["code"]) if "error" in outcome else None

    async def send_if_connected(self, kind: str, **fields: object) -> None:
        """Send a frame of any type if there is a connection."""
        with suppress(ConnectionError, WebSocketException):
            await self.send(kind, **fields)

    async def _try(self, sent: Sent) -> None:
        sent.tried_at = time.monotonic()
        await self.send_if_connected("message.send", id=sent.id, msg=sent.text)

    async def _reconnect(self) -> None:
        while not self.expired.is_set():
            self.ws_url = self._address()
            with suppress(OSError, WebSocketException, TimeoutError, AssertionError):
                await self.connect(
                    compression=None,
                    open_timeout=5,
                    close_timeout=1,
                    ping_interval=self.ping_interval_s,
                    ping_timeout=10,
                )
            if self._reading:
                # Unlike gather, wait does not cancel the reading when this task is cancelled.
                await asyncio.wait([self._reading])
                self._reading = None
                self.closes.append(self.closed_with or 1006)
                self._left_at = self._left_at or time.monotonic()
            await asyncio.sleep(random.uniform(*RECONNECT_S))

    async def _receive(self, text: str) -> None:
        frame = json.loads(text)
        self.types[frame["type"]] += 1
        self.foreign += [marker for marker in markers_in(text) if marker != self.marker]
        if frame["type"] == "session.expired" or frame.get("code") == "session.unknown":
            self.expired.set()
        if frame["type"] == "error":
            self.errors.append(frame)
        await super()._receive(text)
        if frame["type"] == "session.ready" or "message" in frame:
            self._compare_with_sent()
        if frame["type"] == "session.ready":
            if self._left_at is not None:
                self.gaps_s.append(time.monotonic() - self._left_at)
                self._left_at = None
            for sent in self._not_accepted():
                await self._try(sent)

    def _compare_with_sent(self) -> None:
        """Update which messages are accepted and answered from the view of the session."""
        now = time.monotonic()
        for sent in self.sent:
            if not self.view.has(sent.id):
                sent.lost_after_acceptance += sent.accepted_at is not None
                sent.accepted_at = sent.answered_at = None
                sent.answered.clear()
                continue
            sent.accepted_at = sent.accepted_at or now
            if sent.answered_at is None and self.view.reply_to(sent.id):
                sent.answered_at = now
                sent.answered.set()

    def _not_accepted(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.accepted_at is None]

    async def _resend(self) -> None:
        """Send messages again that were refused or never confirmed."""
        while True:
            await asyncio.sleep(RESEND_AFTER_S / 4)
            now = time.monotonic()
            for sent in self._not_accepted():
                if now - sent.tried_at > RESEND_AFTER_S:
                    await self._try(sent)
