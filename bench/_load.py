"""A site with an instant model, and clients that send the next message when a reply arrives."""

import asyncio
import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import requests

from bench._cpu import CpuMeter
from bench._figures import percentiles
from bench._options import options
from tests.ports import free_port
from tests.processes import HIGH_LIMITS, WEB_SERVERS, Process, Stack, collected_static_files

WARM_UP_S = 1
LOAD_S = 3


class Socket(Protocol):
    """A conversation: text goes out, frames come in."""

    async def send(self, text: str, /) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def close(self) -> None: ...


@contextmanager
def site(server: str, **environment: str) -> Iterator[tuple[Stack, str]]:
    """Start a whole site with an instant model; yield it and the model's address."""
    with (
        tempfile.TemporaryDirectory(prefix="chat-bench-") as folder,
        Stack(Path(folder), HIGH_LIMITS | environment) as stack,
    ):
        stack.start_redis()
        model = start_model_stub(stack)
        defaults = {"MODEL_API": "huggingface", "MODEL_URL": f"{model}/generate"}
        stack.environment.update(defaults | environment)
        start_web(stack, server, "chatproject.asgi:application", stack.environment["PORT"])
        stack.start_worker()
        # Wait until beat runs: a process that is still starting would be measured, too.
        stack.start_beat().wait_until(lambda: _sweeps(stack), "to sweep")
        yield stack, model


def start_model_stub(stack: Stack) -> str:
    """Start a model that responds at once; return its address."""
    port = free_port()
    model = f"http://127.0.0.1:{port}"
    stub = stack.run("model", f"python -m tests.model_stub --port {port}", {})
    stub.wait_until(lambda: _responds(f"{model}/requests"), "to respond")
    return model


def start_web(stack: Stack, server: str, application: str, port: str) -> Process:
    """Start a web server with an application and wait until it serves."""
    command = WEB_SERVERS[server].replace("chatproject.asgi:application", application)
    environment = {"PORT": port, "STATIC_ROOT": str(collected_static_files())}
    process = stack.run("web", command, environment)
    process.wait_until(lambda: listens(int(port)), "to listen")
    return process


def listens(port: int) -> bool:
    """Return whether a process of this machine accepts connections at a port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def script(model: str, **behaviour: object) -> None:
    """Set the model stub's behaviour."""
    requests.put(f"{model}/default", json=behaviour, timeout=10).raise_for_status()


def new_tokens(stack: Stack, count: int) -> list[str]:
    """Create sessions; return their tokens."""
    with requests.Session() as http:
        return [
            http.post(f"{stack.url}/token", params={"name": "Bench"}, timeout=30).json()["token"]
            for _ in range(count)
        ]


async def close_all(sockets: Iterable[Socket]) -> None:
    await asyncio.gather(*(socket.close() for socket in sockets))


async def round_trips_ms(socket: Socket, count: int) -> list[float]:
    """Send messages one after the other; return the duration of each."""
    took = []
    for number in range(count):
        start = time.perf_counter()
        await socket.send(f"message {number}")
        reply = await socket.recv()
        took.append((time.perf_counter() - start) * 1000)
        if f"message {number}" not in str(reply):
            raise RuntimeError(f"unexpected reply: {reply!r}")
    return took


async def replies_per_second(
    sockets: Sequence[Socket], meter: CpuMeter, at_end: Callable[[], None] = lambda: None
) -> tuple[float, dict[str, float]]:
    """Send on all sockets at once, each after its own replies.

    Return replies per second and CPU time per reply, in seconds, of each kind of process. Both
    count from when the system is busy. `at_end` is called while replies are still expected.
    """
    is_over, count = False, 0

    async def converse(socket: Socket) -> None:
        nonlocal count
        while not is_over:
            await round_trips_ms(socket, 1)
            count += 1

    conversations = asyncio.gather(*map(converse, sockets))
    await asyncio.sleep(WARM_UP_S)
    meter.start()
    before, start = count, time.perf_counter()
    await asyncio.sleep(options.amount(LOAD_S, 1))
    replies, took_s, used_s = count - before, time.perf_counter() - start, meter.used_s()
    is_over = True
    await asyncio.to_thread(at_end)
    await conversations
    return replies / took_s, {kind: used / max(replies, 1) for kind, used in used_s.items()}


def spread(took_ms: Sequence[float]) -> str:
    """Return p50 and p99 as text."""
    p50, p99 = percentiles(took_ms)
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _sweeps(stack: Stack) -> bool:
    return bool(requests.get(f"{stack.url}/readyz", timeout=5).json()["checks"]["sweep"] == "ok")


def _responds(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except (requests.RequestException, json.JSONDecodeError):
        return False
