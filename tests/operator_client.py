"""An operator's page for tests, written from docs/reference/operator-socket.md only."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from websockets.asyncio.client import connect
from websockets.typing import Origin

from chat.schemas import session_id
from tests.client import Client
from tests.client_view import Frame

HEARTBEATS = {"operator.ping"}


def operator_url(ws_url: str, token: str) -> str:
    """Return the address of an operator's socket in a visitor's session."""
    return f"{ws_url.removesuffix('/chat')}/admin/operator/{session_id(token)}"


class OperatorClient(Client):
    """An operator's page in one session. It answers heartbeats unless `is_asleep`."""

    def __init__(self, ws_url: str, token: str, cookie: str, name: str = "Grace") -> None:
        super().__init__(operator_url(ws_url, token), token)
        self.cookie = cookie
        self.name = name
        self.claim = str(uuid4())
        self.is_asleep = False

    async def connect(self, **options: Any) -> Frame:
        """Connect and return `session.ready`."""
        start = len(self.frames)
        parts = urlsplit(self.ws_url)
        socket = await connect(
            self.ws_url,
            origin=Origin(f"http://{parts.netloc}"),
            additional_headers={"Cookie": self.cookie},
            max_size=None,
            proxy=None,
            **options,
        )
        self._socket = socket
        self._reading = asyncio.create_task(self._read(socket))
        await self.wait_until(lambda: len(self.frames) > start, "a first frame")
        return self.frames[start]

    async def join(self, **fields: Any) -> None:
        """Join and wait until the claim is made."""
        since = len(self.frames)
        await self.send("operator.join", claim=self.claim, name=self.name, **fields)
        await self.wait_for_frame("operator.claim", since=since, mine=True)

    async def answer(self, reply_to: str | None, text: str, id: str | None = None) -> Frame:
        """Send an answer and wait until it is stored."""
        id = id or str(uuid4())
        await self.send("operator.answer", id=id, reply_to=reply_to, msg=text)
        return await self.wait_for_frame("reply.completed", id=id)

    async def _receive(self, text: str) -> None:
        frame = json.loads(text)
        if frame["type"] not in HEARTBEATS:
            await super()._receive(text)
        elif not self.is_asleep:
            with suppress(ConnectionError):
                await self.send("operator.pong")
