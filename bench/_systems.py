"""The systems that are compared, each with processes, a Redis and a model of its own."""

import asyncio
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from websockets.asyncio.client import connect

from bench._load import Socket, new_tokens, script, site, start_model_stub, start_web
from tests.processes import Stack

SERVER = "daphne"
CONNECTS_AT_ONCE = 50
# Browsers send no pings of their own.
OPTIONS: dict[str, Any] = {"proxy": None, "open_timeout": 120, "ping_interval": None}


class System:
    """A running system, whose model is a stub at the address `model`.

    A frame of a socket is a whole reply. On a socket that streams, `piece` takes the text out of
    each. Here for the plain construction, whose frames are texts, the last of a stream is empty.
    """

    # What the stub does besides its delay: the plain construction does not ask for a stream.
    behaviour: ClassVar[dict[str, Any]] = {"shape": "array"}

    def __init__(self, stack: Stack, model: str) -> None:
        self.stack, self.model = stack, model

    def set_model_delay(self, delay_s: float) -> None:
        """Let the model respond after this time."""
        script(self.model, delay_s=delay_s, **self.behaviour)

    def addresses(self, count: int) -> list[str]:
        """Return the addresses of this many new conversations."""
        return [self.stack.ws_url] * count

    async def connect(self, address: str, *, streams: bool) -> Socket:
        """Open the socket of a conversation."""
        return await connect(address, **OPTIONS)

    async def connect_all(self, addresses: Iterable[str], *, streams: bool) -> list[Socket]:
        """Open several sockets, some at the same time."""
        limit = asyncio.Semaphore(CONNECTS_AT_ONCE)

        async def connect_one(address: str) -> Socket:
            async with limit:
                return await self.connect(address, streams=streams)

        return await asyncio.gather(*map(connect_one, addresses))

    async def open(self, count: int, *, streams: bool = False) -> list[Socket]:
        """Start conversations; with `streams`, frames are pieces of replies."""
        addresses = await asyncio.to_thread(self.addresses, count)
        return await self.connect_all(addresses, streams=streams)

    def message(self, text: str) -> str:
        """Return the frame that sends a message on a socket that streams."""
        return text

    def piece(self, frame: str | bytes) -> str | None:
        """Return the text that a frame adds to the reply, None if it ends the reply."""
        return str(frame) or None


class Site(System):
    """This project: the plain subprotocol for whole replies, chat.v1 for streams."""

    behaviour: ClassVar[dict[str, Any]] = {}

    def addresses(self, count: int) -> list[str]:
        webs = cycle(self.stack.running("web"))
        tokens = new_tokens(self.stack, count)
        return [f"ws://127.0.0.1:{next(webs).port}/chat?token={token}" for token in tokens]

    async def connect(self, address: str, *, streams: bool) -> Socket:
        if not streams:
            return await super().connect(address, streams=False)
        protocols: Any = ["chat.v1"]
        socket = await connect(address, subprotocols=protocols, **OPTIONS)
        await socket.recv()  # session.ready
        return socket

    def message(self, text: str) -> str:
        return json.dumps({"type": "message.send", "id": str(uuid4()), "msg": text})

    def piece(self, frame: str | bytes) -> str | None:
        event = json.loads(frame)
        match event["type"]:
            case "reply.delta":
                return str(event["text"])
            case "reply.completed":
                return None
            case "reply.failed" | "error":
                raise RuntimeError(f"unexpected frame: {frame!r}")
        return ""


@contextmanager
def this_project(server: str = SERVER, **environment: str) -> Iterator[System]:
    """Start this project."""
    with site(server, **environment) as (stack, model):
        yield Site(stack, model)


@contextmanager
def plain(worker_options: str = "", **environment: str) -> Iterator[System]:
    """Start the plain construction; the task `plain.stream` streams."""
    core = {"TASK": "plain.answer", "CHANNEL_LAYER": "channels_redis.core.RedisChannelLayer"}
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-") as folder,
        Stack(Path(folder), core | environment) as stack,
    ):
        stack.start_redis()
        # Only now: Redis is started with this project's settings.
        stack.environment["DJANGO_SETTINGS_MODULE"] = "bench.plain.settings"
        stack.environment["REDIS_URL"] = stack.redis_url
        model = start_model_stub(stack)
        stack.environment.setdefault("MODEL_URL", f"{model}/generate")
        start_web(stack, SERVER, "bench.plain.asgi:application", stack.environment["PORT"])
        stack.run("worker", f"celery --quiet -A bench.plain.tasks worker {worker_options}", {})
        yield System(stack, model)


def bare_path() -> AbstractContextManager[System]:
    """Start the bare path: the fast way with the same libraries, see `bench.plain`."""
    layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
    return plain("--pool threads --concurrency 68", TASK="bare.answer", CHANNEL_LAYER=layer)
