"""A chat.v1 client made from the protocol's description alone: what it shows, tests compare.

It keeps every frame it got, and notes as a `violation` whatever the protocol says cannot happen.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self
from uuid import uuid4

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
TIMEOUT_S = 20


def begin(url: str) -> str:
    """Begin a session and return its token."""
    response = requests.post(f"{url}/token", params={"name": "Ada"}, timeout=10)
    response.raise_for_status()
    return str(response.json()["token"])


class View:
    """What a client shows: a pure reducer of frames."""

    def __init__(self) -> None:
        self.messages: dict[int, Frame] = {}
        self.writing: Frame | None = None
        self.queued: dict[str, Frame] = {}
        self.last_seq = 0
        self.violations: list[str] = []

    def apply(self, frame: Frame) -> bool:
        """Take a frame in; return whether it shows that something is missing."""
        match frame["type"]:
            case "session.ready":
                self._become(frame)
            case "message.accepted":
                return self._append(frame["message"])
            case "reply.completed" | "reply.failed":
                return self._append_reply(frame["message"])
            case "reply.queued":
                self._queue(frame)
            case "reply.started":
                self.writing = {"reply_to": frame["reply_to"], "id": frame["id"], "text": ""}
                self.queued.pop(frame["reply_to"], None)
            case "reply.delta":
                return self._write(frame)
        return False

    def shown(self) -> list[tuple[int, str, str | None]]:
        """Return the history as (seq, id, text), None for the text of what was replaced."""
        return [
            (seq, one["id"], None if "replaced_by" in one else one["msg"])
            for seq, one in sorted(self.messages.items())
        ]

    def _become(self, frame: Frame) -> None:
        if not frame["recovered"]:
            self.messages.clear()
        self.queued.clear()
        for message in frame["messages"]:
            self.messages[message["seq"]] = message
            self._replace(message)
        self.last_seq = max(self.messages, default=0)
        self.writing = dict(frame["reply"]) if frame["reply"] else None
        if sorted(self.messages) != list(range(1, self.last_seq + 1)):
            self.violations.append(f"a gap after session.ready: {sorted(self.messages)}")

    def _append(self, message: Frame) -> bool:
        seq = message["seq"]
        if seq <= self.last_seq:
            if self.messages[seq]["id"] != message["id"]:
                self.violations.append(f"two messages have the number {seq}")
            return False
        if seq > self.last_seq + 1:
            return True
        self.messages[seq] = message
        self.last_seq = seq
        self._replace(message)
        return False

    def _append_reply(self, message: Frame) -> bool:
        writing = self.writing
        if writing and writing["reply_to"] == message["reply_to"]:
            is_same = writing["id"] == message["id"]
            if is_same and not message["msg"].startswith(writing["text"]):
                self.violations.append(f"the text was {writing['text']!r}, then {message['msg']!r}")
            self.writing = None
        self.queued.pop(message["reply_to"], None)
        return self._append(message)

    def _replace(self, message: Frame) -> None:
        for seq, old in self.messages.items():
            if old["id"] == message.get("replaces"):
                self.messages[seq] = {
                    "id": old["id"],
                    "seq": seq,
                    "replaced_by": message["id"],
                }

    def _queue(self, frame: Frame) -> None:
        if frame["ahead"] < 0 or (frame["eta_s"] or 0) < 0:
            self.violations.append(f"a place that cannot be: {frame}")
        if self.writing and self.writing["reply_to"] == frame["reply_to"]:
            self.writing = None
        self.queued[frame["reply_to"]] = frame

    def _write(self, frame: Frame) -> bool:
        writing = self.writing
        if writing is None or writing["id"] != frame["id"]:
            return True
        if frame["offset"] > len(writing["text"]):
            return True
        writing["text"] = writing["text"][: frame["offset"]] + frame["text"]
        return False


class Client:
    """One tab: connects, remembers, and connects again from where it was."""

    def __init__(self, ws_url: str, token: str) -> None:
        self.ws_url = ws_url
        self.view = View()
        self.frames: list[Frame] = []
        self.closed_with: int | None = None
        self.is_connected = False
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.token = token
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def connect(self) -> Frame:
        """Connect with what is known and return `session.ready`."""
        mark = len(self.frames)
        self.closed_with = None
        self._socket = await connect(
            f"{self.ws_url}?after={self.view.last_seq}",
            subprotocols=[f"token.{self.token}", "chat.v1"],  # type: ignore[list-item]
            max_size=None,
        )
        self.is_connected = True
        self._reading = asyncio.create_task(self._read(self._socket))
        await self.until(lambda: len(self.frames) > mark or not self.is_connected, "a first frame")
        if len(self.frames) == mark:
            raise ConnectionError("The connection ended before its first frame")
        if self.frames[mark]["type"] == "error":
            raise ConnectionError(self.frames[mark]["detail"])
        return self.frames[mark]

    async def drop(self) -> None:
        """Lose the connection without a word."""
        if self._socket:
            self._socket.transport.abort()
            await self._end_of_reading()

    async def close(self) -> None:
        if self._socket:
            self.may_read.set()
            await self._socket.close()
            await self._end_of_reading()

    async def send(self, kind: str, **fields: Any) -> None:
        assert self._socket
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str, id: str | None = None) -> str:
        """Send a message and return its id without waiting for anything."""
        id = id or str(uuid4())
        await self.send("message.send", id=id, msg=text)
        return id

    async def told(self, kind: str, *, since: int = 0, **fields: Any) -> Frame:
        """Wait for a frame of this type with these fields, and return the first."""

        def found() -> Frame | None:
            return next((each for each in self.frames[since:] if _is(each, kind, fields)), None)

        await self.until(lambda: found() is not None, f"{kind} {fields}")
        frame = found()
        assert frame
        return frame

    async def until(
        self, condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Wait until the frames or the view fulfil `condition`."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            last = [json.dumps(frame)[:200] for frame in self.frames[-12:]]
            raise AssertionError("\n".join([f"not told: {what}; last frames:", *last])) from None

    async def outcome(self, message: str) -> Frame:
        """Wait for the newest reply to a message and return it."""

        def found() -> Frame | None:
            replies = [
                one
                for _, one in sorted(self.view.messages.items())
                if one.get("reply_to") == message
            ]
            return replies[-1] if replies else None

        await self.until(lambda: found() is not None, f"an outcome of {message}")
        reply = found()
        assert reply
        return reply

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self.may_read.wait()
                frame = json.loads(await socket.recv())
                if self.view.apply(frame):
                    await self.send("session.sync", after=self.view.last_seq)
                async with self._changed:
                    self.frames.append(frame)
                    self._changed.notify_all()
        except ConnectionClosed as closed:
            self.closed_with = closed.rcvd.code if closed.rcvd else None
            self.is_connected = False
            async with self._changed:
                self._changed.notify_all()

    async def _end_of_reading(self) -> None:
        if self._reading:
            self.may_read.set()
            await self._reading


def _is(frame: Frame, kind: str, fields: Frame) -> bool:
    return frame["type"] == kind and all(
        (frame.get("message") or frame).get(name, frame.get(name)) == value
        for name, value in fields.items()
    )
