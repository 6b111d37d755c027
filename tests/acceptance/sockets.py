"""Clients for tests: as plain as any WebSocket tool, and one that speaks chat.v1."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import Stack

TIMEOUT_S = 40
Frame = dict[str, Any]


def create_session(stack: Stack, name: str = "Ada") -> str:
    """Begin a session and return its token."""
    response = requests.post(f"{stack.url}/token", params={"name": name}, timeout=TIMEOUT_S)
    assert response.status_code == 200, response.text
    return str(response.json()["token"])


def history(stack: Stack, token: str) -> list[Frame]:
    """Return a session's messages as the HTTP API returns them."""
    response = requests.get(
        f"{stack.url}/refresh_token", params={"token": token}, timeout=TIMEOUT_S
    )
    assert response.status_code == 200, response.text
    return list(response.json()["messages"])


class Socket:
    """One open socket; every frame it gets is kept in `seen`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Frame] = []

    def send(self, text: str | bytes) -> None:
        self.connection.send(text)

    def send_frame(self, type_: str, **fields: Any) -> None:
        self.send(json.dumps({"type": type_} | fields))

    def send_message(self, text: str, id_: str | None = None) -> str:
        """Send a chat.v1 message and return its id."""
        id_ = id_ or str(uuid4())
        self.send_frame("message.send", id=id_, msg=text)
        return id_

    def next(self) -> Frame:
        """Return the next frame."""
        frame = json.loads(self.connection.recv(timeout=TIMEOUT_S))
        self.seen.append(frame)
        return dict(frame)

    def until(self, *types: str) -> Frame:
        """Return the next frame of one of these types; frames before it are kept too."""
        while True:
            frame = self.next()
            if frame["type"] in types:
                return frame

    def reply_to(self, message: str) -> Frame:
        """Return the message that ends the wait for a reply to `message`."""
        while True:
            received = self.until("reply.completed", "reply.failed")["message"]
            if received["reply_to"] == message:
                return dict(received)

    def close_code(self) -> tuple[int | None, str]:
        """Wait for the server to close; return its code and reason."""
        try:
            while True:
                self.next()
        except ConnectionClosed:
            return self.connection.close_code, self.connection.close_reason or ""


@contextmanager
def plain(stack: Stack, token: str) -> Iterator[Socket]:
    """Connect as a tool that knows nothing of us."""
    with connect(f"{stack.ws_url}?token={token}", proxy=None) as connection:
        yield Socket(connection)


@contextmanager
def chat_v1(stack: Stack, token: str, after: int | None = None) -> Iterator[Socket]:
    """Connect with chat.v1; the first frame is `session.ready`."""
    url = stack.ws_url if after is None else f"{stack.ws_url}?after={after}"
    protocols: Any = ["chat.v1", f"token.{token}"]
    with connect(url, subprotocols=protocols, proxy=None) as connection:
        yield Socket(connection)
