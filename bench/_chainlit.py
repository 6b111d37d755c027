"""Chainlit, for comparison: another server for chats, in a virtual environment of its own.

It needs no requirements of this project: its client here speaks Socket.IO on a plain WebSocket.
"""

import json
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from bench._load import Socket, listens
from bench._systems import OPTIONS, System
from tests.processes import ROOT, Stack

VERSION = "2.12.0"
FOLDER = ROOT / "var" / "bench" / f"chainlit-{VERSION}"
APP = ROOT / "bench" / "peers" / "chainlit_app.py"


class ChainlitSocket:
    """A conversation, over Socket.IO 5 in Engine.IO 4."""

    def __init__(self, socket: ClientConnection, *, streams: bool) -> None:
        self._socket = socket
        self._streams = streams

    async def start(self) -> None:
        """Open the session, as Chainlit's page does."""
        await self._socket.recv()  # Engine.IO's parameters
        session = {"clientType": "webapp", "sessionId": str(uuid4()), "userEnv": "{}"}
        await self._socket.send(f"40{json.dumps(session)}")
        await self._socket.recv()  # connected
        await self._emit("connection_successful")

    async def send(self, text: str, /) -> None:
        """Send a message."""
        message = {
            "id": str(uuid4()),
            "type": "user_message",
            "name": "User",
            "output": text,
            "createdAt": datetime.now(UTC).isoformat(),
        }
        await self._emit("client_message", {"message": message, "fileReferences": []})

    async def recv(self) -> str | bytes:
        """Return the next reply, or the next event if the socket streams."""
        while True:
            frame = str(await self._socket.recv())
            if frame == "2":
                await self._socket.send("3")
            elif frame.startswith("42"):
                if self._streams:
                    return frame[2:]
                event, data = _decode(frame[2:])
                if event == "new_message":
                    return str(data["output"])

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()

    async def _emit(self, *event: object) -> None:
        await self._socket.send(f"42{json.dumps(event)}")


class Chainlit(System):
    """Chainlit, which has no stub: its application is the model."""

    def set_model_delay(self, delay_s: float) -> None:
        """Do nothing: its echo responds at once."""

    async def connect(self, address: str, *, streams: bool) -> Socket:
        connection = await connect(address, **OPTIONS)
        socket = ChainlitSocket(connection, streams=streams)
        await socket.start()
        return socket

    def addresses(self, count: int) -> list[str]:
        port = self.stack.environment["PORT"]
        return [f"ws://127.0.0.1:{port}/ws/socket.io/?EIO=4&transport=websocket"] * count

    def piece(self, frame: str | bytes) -> str | None:
        event, data = _decode(frame)
        match event:
            case "stream_start":
                return str(data["output"])
            case "stream_token":
                return str(data["token"])
            case "new_message":
                return None
        return ""


def _decode(frame: str | bytes) -> tuple[str, Any]:
    """Return an event and its data; replies are new messages, but so are steps on the way."""
    event, data = json.loads(frame)
    is_step = event == "new_message" and data["type"] != "assistant_message"
    return "new_step" if is_step else event, data


@contextmanager
def chainlit() -> Iterator[System]:
    """Install Chainlit if it is missing, and start it."""
    if not (program := FOLDER / "bin" / "chainlit").exists():
        venv.create(FOLDER, with_pip=True)
        install = [str(FOLDER / "bin" / "pip"), "install", "--quiet", f"chainlit=={VERSION}"]
        subprocess.run(install, check=True)
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-") as folder,
        Stack(Path(folder), {"CHAINLIT_APP_ROOT": folder}) as stack,  # it writes files there
    ):
        port = int(stack.environment["PORT"])
        web = stack.run("web", f"{program} run {APP} --headless --port {port}", {})
        web.wait_until(lambda: listens(port), "to listen")
        yield Chainlit(stack, "")
