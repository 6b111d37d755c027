"""Blocking WebSocket clients: one without a subprotocol, one with chat.v1."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.client_view import Frame
from tests.processes import Stack

TIMEOUT_S = 40


class Socket:
    """One open socket, which records every received frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[Frame] = []

    def send(self, text: str | bytes) -> None:
        self.connection.send(text)

    def send_frame(self, type_: str, **fields: Any) -> None:
        self.send(json.dumps({"type": type_} | fields))

    def send_message(self, text: str, id_: str | None = None) -> str:
        """Send a chat.v1 message and return its id."""
        id_ = id_ or str(uuid4())
        self.send_frame("message.send", id=id_, msg=text)
        return id_

    def receive(self) -> Frame:
        """Receive the next frame and return it."""
        frame = json.loads(self.connection.recv(timeout=TIMEOUT_S))
        self.frames.append(frame)
        return dict(frame)

    def wait_for_frame(self, *types: str) -> Frame:
        """Receive frames up to the next one of these types and return it."""
        while True:
            frame = self.receive()
            if frame["type"] in types:
                return frame

    def wait_for_reply(self, message: str) -> Frame:
        """Receive frames up to the reply to `message`, completed or failed, and return it."""
        while True:
            reply = self.wait_for_frame("reply.completed", "reply.failed")["message"]
            if reply["reply_to"] == message:
                return dict(reply)

    def wait_for_close(self) -> tuple[int | None, str]:
        """Wait for the server to close the socket; return the code and the reason."""
        try:
            while True:
                self.receive()
        except ConnectionClosed:
            return self.connection.close_code, self.connection.close_reason or ""


@contextmanager
def connect_plain(stack: Stack, token: str) -> Iterator[Socket]:
    """Connect without a subprotocol, like a generic WebSocket tool."""
    with connect(f"{stack.ws_url}?token={token}", proxy=None) as connection:
        yield Socket(connection)


@contextmanager
def connect_chat_v1(stack: Stack, token: str, after: int | None = None) -> Iterator[Socket]:
    """Connect with chat.v1; the first frame is `session.ready`."""
    url = stack.ws_url if after is None else f"{stack.ws_url}?after={after}"
    protocols: Any = ["chat.v1", f"token.{token}"]
    with connect(url, subprotocols=protocols, proxy=None) as connection:
        yield Socket(connection)
