"""A client of the chat.v1 WebSocket protocol: one file, needs Python 3.11 and `websockets`.

    async with ChatClient(url, begin_session(url, "Ada")) as client:  # url: http://127.0.0.1:3500
        await client.send("hello")
        async for frame in client.frames(): ...

What send() takes is sent until the server accepts it, which it does once for an id. frames() tells
every message once and in order, and no piece of a reply twice, however often the connection drops.
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
TRY_AGAIN = {"session.busy", "rate.limited", "store.unavailable"}


def begin_session(url: str, name: str) -> str:
    """Return the token of a new session; raises OSError, HTTPError where the server refuses."""
    with urlopen(f"{url}/token?{urlencode({'name': name})}", data=b"", timeout=10) as answer:  # noqa: S310
        return str(json.load(answer)["token"])


class ChatClient:
    """One session of the server at `url`."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"ws{url.removeprefix('http')}/chat"
        self._offer: Any = ["chat.v1", f"token.{token}"]
        self._socket: ClientConnection | None = None  # from `session.ready` to the end
        self._wait_s = FIRST_WAIT_S
        self._outbox: dict[str, str] = {}  # id → text of what is not accepted yet, in order
        self._told: asyncio.Queue[Frame | Exception] = asyncio.Queue()
        self._after, self._reply, self._chars = 0, "", 0  # what frames() has told

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def send(self, msg: str) -> str:
        """Say something; return its id, which `message.accepted` or an `error` names."""
        self._outbox[id_ := str(uuid4())] = msg
        if len(self._outbox) == 1:
            await self._send_first()
        return id_

    async def transmit(self, type_: str, **fields: Any) -> None:
        """Send another frame, `reply.stop` for example; while disconnected it is dropped."""
        with contextlib.suppress(ConnectionClosed):
            if self._socket:
                await self._socket.send(json.dumps({"type": type_, **fields}))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames, and `connection.lost`; raises ConnectionError when it is over for good."""
        while not isinstance(frame := await self._told.get(), Exception):
            yield frame
        raise frame

    async def _run(self) -> None:
        try:
            while True:
                await self._converse()
                self._socket, self._wait_s = None, min(2 * self._wait_s, LONGEST_WAIT_S)
                wait_s = self._wait_s * random.uniform(0.5, 1)  # noqa: S311
                self._told.put_nowait({"type": "connection.lost", "retry_in_s": wait_s})
                await asyncio.sleep(wait_s)
        except Exception as error:  # noqa: BLE001 frames() raises it
            self._told.put_nowait(error)

    async def _converse(self) -> None:
        try:
            url = f"{self._url}?after={self._after}"
            async with connect(url, subprotocols=self._offer) as socket:
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
            await self._resume(frame)
        elif "message" in frame:
            await self._learn(frame)
        elif frame["type"] in {"reply.started", "reply.delta"}:
            await self._write(frame)
        else:
            self._told.put_nowait(frame)
            if frame["type"] == "error" and frame["ref"] in self._outbox:
                if frame["code"] not in TRY_AGAIN:
                    del self._outbox[frame["ref"]]
                self._resending = asyncio.create_task(self._send_first(RESEND_S))

    async def _resume(self, ready: Frame) -> None:
        if not ready["recovered"]:
            self._after, self._reply = 0, ""
        self._told.put_nowait({**ready, "messages": [], "reply": None})
        for message in ready["messages"]:
            kind = "reply.failed" if "error" in message else "reply.completed"
            kind = "message.accepted" if message.get("source") == "human" else kind
            await self._learn({"type": kind, "message": message})
        if reply := ready["reply"]:
            await self._write({**reply, "type": "reply.started", "text": ""})
            await self._write({**reply, "type": "reply.delta", "offset": 0})
        await self._send_first()

    async def _learn(self, frame: Frame) -> None:
        message = frame["message"]
        if message["seq"] > self._after + 1:
            await self.transmit("session.sync", after=self._after)
        elif message["seq"] == self._after + 1:
            self._after += 1
            if "replaced_by" not in message:
                self._told.put_nowait(frame)
        if self._outbox.pop(message["id"], None):
            await self._send_first()

    async def _write(self, frame: Frame) -> None:
        known = self._chars - frame.get("offset", 0) if frame["id"] == self._reply else -1
        if frame["type"] == "reply.started" and known < 0:
            self._reply, self._chars = frame["id"], 0
            self._told.put_nowait(frame)
        elif known < 0:
            await self.transmit("session.sync", after=self._after)
        elif fresh := frame.get("text", "")[known:]:
            self._told.put_nowait({**frame, "offset": self._chars, "text": fresh})
            self._chars += len(fresh)

    async def _send_first(self, delay_s: float = 0) -> None:
        await asyncio.sleep(delay_s)
        for id_, msg in list(self._outbox.items())[:1]:
            await self.transmit("message.send", id=id_, msg=msg)
