"""A client of the chat.v1 WebSocket protocol in one file; needs Python 3.11 and `websockets`.

    async with ChatClient(url, create_session(url, "Ada")) as client:  # url: http://127.0.0.1:3500
        await client.send("hello")
        async for frame in client.frames(): ...

send() resends a message until the server accepts it; the message's id prevents a duplicate.
frames() yields each message once and in order, and no part of a reply twice, across reconnects. A
message that was replaced before it was received is in `message.replaced`, without its text.
If the first `session.ready` has `has_earlier`, request older messages with `session.history`.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

from websockets import ClientConnection, ConnectionClosed, InvalidHandshake, InvalidStatus, connect

Frame = dict[str, Any]
FIRST_WAIT_S, LONGEST_WAIT_S, RESEND_S = 0.2, 30.0, 2.0
RETRIED_CODES = {"session.busy", "rate.limited", "store.unavailable"}


def create_session(url: str, name: str) -> str:
    """Return the token of a new session; raises OSError, HTTPError if the server refuses."""
    with urlopen(f"{url}/token?{urlencode({'name': name})}", data=b"", timeout=10) as response:  # noqa: S310
        return str(json.load(response)["token"])


class ChatClient:
    """One session of the server at `url`; `model` is one of `models` in `session.ready`."""

    def __init__(self, url: str, token: str, model: str | None = None) -> None:
        self._url = f"ws{url.removeprefix('http')}/chat"
        self._subprotocols: Any = ["chat.v1", f"token.{token}"]
        self._model = {"model": model} if model else {}
        self._socket: ClientConnection | None = None  # set from `session.ready` to the disconnect
        self._wait_s = FIRST_WAIT_S
        self._outbox: dict[str, Frame] = {}  # id → fields of messages not accepted yet, in order
        self._received: asyncio.Queue[Frame | Exception] = asyncio.Queue()  # for frames()
        self._seq, self._reply, self._chars = 0, "", 0  # the last message and reply text in it
        self._revision = 0  # of the last rating
        self._ready: Frame | None = None  # `session.ready`, while messages before it are missing

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def send(self, msg: str, replaces: str | None = None) -> str:
        """Send a message; return its id, which `message.accepted` or an `error` refers to.

        `replaces` is the id of an earlier message that this one edits.
        """
        edit = {"replaces": replaces} if replaces else {}
        self._outbox[id_ := str(uuid4())] = {"msg": msg, **edit}
        if len(self._outbox) == 1:
            await self._send_first()
        return id_

    async def transmit(self, type_: str, **fields: Any) -> None:
        """Send another frame, for example `reply.stop`; it is dropped while disconnected."""
        with contextlib.suppress(ConnectionClosed):
            if self._socket:
                await self._socket.send(json.dumps({"type": type_, **fields}))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames and `connection.lost`; raises ConnectionError if reconnecting is useless."""
        while not isinstance(frame := await self._received.get(), Exception):
            yield frame
        raise frame

    async def _run(self) -> None:
        try:
            while True:
                await self._connect()
                self._socket, self._wait_s = None, min(2 * self._wait_s, LONGEST_WAIT_S)
                wait_s = self._wait_s * random.uniform(0.5, 1)  # noqa: S311
                self._received.put_nowait({"type": "connection.lost", "retry_in_s": wait_s})
                await asyncio.sleep(wait_s)
        except Exception as error:  # noqa: BLE001 frames() raises it
            self._received.put_nowait(error)

    async def _connect(self) -> None:
        try:
            url = f"{self._url}?after={self._seq}&ratings_revision={self._revision}"
            async with connect(url, subprotocols=self._subprotocols) as socket:
                while True:
                    await self._receive(json.loads(await socket.recv()), socket)
        except (OSError, InvalidHandshake, ConnectionClosed) as error:
            if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code == 1008:
                raise ConnectionAbortedError(error.rcvd.reason) from error
            if isinstance(error, InvalidStatus) and error.response.status_code < 500:
                raise ConnectionRefusedError(str(error)) from error

    async def _receive(self, frame: Frame, socket: ClientConnection) -> None:
        if frame["type"] == "session.ready":
            self._socket, self._wait_s = socket, FIRST_WAIT_S
            self._revision = frame.get("ratings_revision", 0)
            await self._resync(frame)
        elif self._ready:
            await self._add_earlier(frame)
        elif "message" in frame:
            await self._receive_message(frame)
        elif frame["type"] in {"reply.started", "reply.delta"}:
            await self._receive_text(frame)
        else:
            self._revision = max(self._revision, frame.get("revision", 0))
            self._received.put_nowait(frame)
            if frame["type"] == "error" and frame["ref"] in self._outbox:
                if frame["code"] not in RETRIED_CODES:
                    del self._outbox[frame["ref"]]
                self._resending = asyncio.create_task(self._send_first(RESEND_S))

    async def _resync(self, ready: Frame) -> None:
        """Turn the messages of `session.ready` into the frames that were missed."""
        if not ready["recovered"]:
            self._seq, self._reply = 0, ""
        first = ready["messages"][0]["seq"] if ready["messages"] else self._seq + 1
        self._ready = ready if ready["has_earlier"] and 0 < self._seq < first - 1 else None
        if self._ready:
            await self.transmit("session.history", before=first)
            return
        self._seq = max(self._seq, first - 1)
        self._received.put_nowait({**ready, "messages": [], "reply": None})
        for message in ready["messages"]:
            kind = "reply.failed" if "error" in message else "reply.completed"
            kind = "message.accepted" if message.get("source") == "human" else kind
            await self._receive_message({"type": kind, "message": message})
        if reply := ready["reply"]:
            await self._receive_text({**reply, "type": "reply.started", "text": ""})
            await self._receive_text({**reply, "type": "reply.delta", "offset": 0})
        await self._send_first()

    async def _add_earlier(self, frame: Frame) -> None:
        """Add a page to `session.ready`; drop other frames, and sync when nothing is missing."""
        if self._ready and frame["type"] == "session.messages":
            messages = frame["messages"] + self._ready["messages"]
            earlier = {"messages": messages, "has_earlier": frame["has_earlier"]}
            await self._resync(self._ready | earlier)
            if not self._ready:
                await self._sync()

    async def _sync(self) -> None:
        await self.transmit("session.sync", after=self._seq, ratings_revision=self._revision)

    async def _receive_message(self, frame: Frame) -> None:
        message = frame["message"]
        if message["seq"] > self._seq + 1:
            await self._sync()
        elif message["seq"] == self._seq + 1:
            self._seq += 1
            if "replaced_by" in message:
                frame = {"type": "message.replaced", "message": message}
            self._received.put_nowait(frame)
        if self._outbox.pop(message["id"], None):
            await self._send_first()

    async def _receive_text(self, frame: Frame) -> None:
        known = self._chars - frame.get("offset", 0) if frame["id"] == self._reply else -1
        if frame["type"] == "reply.started" and known < 0:
            self._reply, self._chars = frame["id"], 0
            self._received.put_nowait(frame)
        elif known < 0:
            await self._sync()
        elif new := frame.get("text", "")[known:]:
            self._received.put_nowait({**frame, "offset": self._chars, "text": new})
            self._chars += len(new)

    async def _send_first(self, delay_s: float = 0) -> None:
        await asyncio.sleep(delay_s)
        for id_, fields in list(self._outbox.items())[:1]:
            await self.transmit("message.send", id=id_, **fields, **self._model)
