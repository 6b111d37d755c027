"""Number of functions and files of the project that one chat message passes.

Each line counts from `message.send` until `reply.completed` is received and the task has returned.
Consumer, task and model stub run in this process; Redis is real. A file switch is a call in another
file than the previous call of the thread. Resumed coroutines, comprehensions and lambdas are not
counted. `PYTHONPATH=. python /path/to/path.py` measures the checkout in the current folder.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import uuid4

PACKAGES = tuple(f"{os.getcwd()}/{package}/" for package in ("chat", "chatproject", "inference"))
calls: list[tuple[int, str, Any]] = []  # thread, file and code object


def run() -> Iterator[str]:
    """Measure in a separate process, because of the tests' settings and the profile function."""
    result = subprocess.run([sys.executable, "-m", "bench.path"], capture_output=True, text=True)
    yield from (result.stderr if result.returncode else result.stdout).splitlines()


def record(frame: Any, event: str, _: object) -> None:
    """Record a call; the argument of the instruction RESUME is 0 only at a function's start."""
    code = frame.f_code
    is_ours = code.co_filename.startswith(PACKAGES) and code.co_name[0] != "<"
    if event == "call" and is_ours and code.co_code[frame.f_lasti + 1] & 3 == 0:
        calls.append((threading.get_ident(), code.co_filename, code))


async def measure(queue: Any) -> None:
    """Exchange messages on one socket. The first one is not counted: it creates the clients."""
    path = "/chat?token=" + (await AsyncClient().post("/token?name=Ada")).json()["token"]
    socket = WebsocketCommunicator(ChatConsumer.as_asgi(), path, subprotocols=["chat.v1"])
    await socket.connect()
    for number in range(6):
        calls.clear()
        await socket.send_to(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "hi"}))
        await asyncio.to_thread(lambda: answer(*queue.get(timeout=5).payload[0]))
        while json.loads(await socket.receive_from())["type"] != "reply.completed":
            pass
        if number:
            _, files, functions = map(set, zip(*calls, strict=True))
            pairs = pairwise(sorted(calls, key=lambda call: call[0]))
            switches = sum(a[0] == b[0] and a[1] != b[1] for a, b in pairs)
            print(f"{len(functions)} functions, {len(files)} files, {switches} file switches")  # noqa: T201
    await socket.disconnect()


if __name__ == "__main__":
    threading.setprofile(record)
    sys.setprofile(record)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from channels.testing import WebsocketCommunicator
    from django.conf import settings
    from django.test import AsyncClient, override_settings

    from chat.consumers import ChatConsumer
    from chat.tasks import answer
    from chatproject.celery import app
    from tests.model_stub import Behaviour, ModelStub
    from tests.processes import Stack

    redis = Stack(settings.DATA_DIR, {"EMBEDDED_REDIS_PORT": str(settings.EMBEDDED_REDIS_PORT)})
    with redis, ModelStub() as model, app.connection_for_read() as broker:
        redis.start_redis()
        model.always(Behaviour(piece_delay_s=0.1, times=None))  # each piece is published alone
        [configured] = settings.MODELS
        endpoint = replace(configured.endpoints[0], url=model.endpoint("huggingface"))
        with override_settings(MODELS=(replace(configured, endpoints=(endpoint,)),)):
            asyncio.run(measure(broker.SimpleQueue(app.conf.task_default_queue, no_ack=True)))
