"""A chat.v1 client for tests, written from the documented protocol only.

It records every frame and keeps a view of the session, see `tests.client_view`.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self
from uuid import uuid4

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.client_view import ClientView, Frame

CHAT_V1 = Subprotocol("chat.v1")
TIMEOUT_S = 20
HTTP_TIMEOUT_S = 40


def create_session(url: str, name: str = "Ada") -> str:
    """Create a session and return its token."""
    response = requests.post(f"{url}/token", params={"name": name}, timeout=HTTP_TIMEOUT_S)
    assert response.status_code == 200, response.text
    return str(response.json()["token"])


def history(url: str, token: str) -> list[Frame]:
    """Return a session's messages from the HTTP API."""
    response = requests.get(f"{url}/refresh_token", params={"token": token}, timeout=HTTP_TIMEOUT_S)
    assert response.status_code == 200, response.text
    return list(response.json()["messages"])


class Client:
    """One tab of a session, which connects, drops and reconnects under control of the test."""

    def __init__(self, ws_url: str, token: str) -> None:
        self.ws_url = ws_url
        self.token = token
        self.view = ClientView()
        self.frames: list[Frame] = []
        self.closed_with: int | None = None
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    async def connect(self, **options: Any) -> Frame:
        """Connect with the last known seq and return `session.ready`."""
        start = len(self.frames)
        self.closed_with = None
        socket = await connect(
            f"{self.ws_url}?after={self.view.last_seq}"
            f"&ratings_revision={self.view.ratings_revision}",
            subprotocols=[Subprotocol(f"token.{self.token}"), CHAT_V1],
            max_size=None,
            proxy=None,
            **options,
        )
        self._socket = socket
        self._reading = asyncio.create_task(self._read(socket))
        await self.wait_until(
            lambda: len(self.frames) > start or not self.is_connected, "a first frame"
        )
        if len(self.frames) == start:
            raise ConnectionError("connection closed before the first frame")
        if self.frames[start]["type"] == "error":
            raise ConnectionError(self.frames[start]["detail"])
        return self.frames[start]

    async def drop(self) -> None:
        """Abort the connection without a closing handshake."""
        if self._socket:
            self._socket.transport.abort()
            await self._wait_for_reader()

    async def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self.may_read.set()
            await self._socket.close()
            await self._wait_for_reader()

    async def send(self, type_: str, **fields: Any) -> None:
        """Send a frame of any type."""
        if self._socket is None:
            raise ConnectionError("not connected")
        await self._socket.send(json.dumps({"type": type_, **fields}))

    async def send_message(self, text: str, id: str | None = None) -> str:
        """Send a message and return its id without waiting for anything."""
        id = id or str(uuid4())
        await self.send("message.send", id=id, msg=text)
        return id

    async def wait_for_frame(self, type_: str, *, since: int = 0, **fields: Any) -> Frame:
        """Wait for a frame of this type with these fields and return the first."""

        def find() -> Frame | None:
            return next((f for f in self.frames[since:] if _matches(f, type_, fields)), None)

        await self.wait_until(lambda: find() is not None, f"{type_} {fields}")
        frame = find()
        assert frame
        return frame

    async def wait_for_reply(self, message: str) -> Frame:
        """Wait for a reply to a message and return the newest."""
        await self.wait_until(
            lambda: self.view.reply_to(message) is not None, f"a reply to {message}"
        )
        reply = self.view.reply_to(message)
        assert reply
        return reply

    async def wait_until(
        self, condition: Callable[[], object], what: str = "", timeout_s: float = TIMEOUT_S
    ) -> None:
        """Wait until the frames or the view fulfil `condition`."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: bool(condition()))
        except TimeoutError:
            last = [json.dumps(frame)[:200] for frame in self.frames[-12:]]
            raise AssertionError(
                "\n".join([f"timed out waiting for {what}; last frames:", *last])
            ) from None

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                await self.may_read.wait()
                await self._receive(str(await socket.recv()))
        except ConnectionClosed as closed:
            self.closed_with = closed.rcvd.code if closed.rcvd else None
        finally:
            self._socket = None
            await self._notify()

    async def _receive(self, text: str) -> None:
        frame = json.loads(text)
        if self.view.apply(frame):
            await self.send("session.sync", after=self.view.last_seq)
        if frame["type"] in {"session.ready", "session.messages"} and self.view.has_earlier:
            await self.send("session.history", before=self.view.first_seq)
        self.frames.append(frame)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait_for_reader(self) -> None:
        if self._reading:
            self.may_read.set()
            await self._reading


def _matches(frame: Frame, type_: str, fields: Frame) -> bool:
    return frame["type"] == type_ and all(
        (frame.get("message") or frame).get(name, frame.get(name)) == value
        for name, value in fields.items()
    )
