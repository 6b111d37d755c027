"""A site with an instant model, and clients that send the next message when a reply arrives."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from websockets.asyncio.client import ClientConnection, connect

from tests.ports import free_port
from tests.processes import HIGH_LIMITS, WEB_SERVERS, Process, Stack, collected_static_files


@contextmanager
def site(server: str, **environment: str) -> Iterator[tuple[Stack, str]]:
    """Start a whole site with an instant model; yield it and the model's address."""
    with tempfile.TemporaryDirectory(prefix="chat-bench-") as folder:
        port = free_port()
        model = f"http://127.0.0.1:{port}"
        settings = HIGH_LIMITS | {"MODEL_API": "huggingface", "MODEL_URL": f"{model}/generate"}
        with Stack(Path(folder), settings | environment) as stack:
            stack.start_redis()
            stub = stack.run("model", f"python -m tests.model_stub --port {port}", {})
            stub.wait_until(lambda: _responds(f"{model}/requests"), "to respond")
            start_web(stack, server, "chatproject.asgi:application", stack.environment["PORT"])
            stack.start_worker()
            # Wait until beat runs: a process that is still starting would be measured, too.
            stack.start_beat().wait_until(lambda: _sweeps(stack), "to sweep")
            yield stack, model


def start_web(stack: Stack, server: str, application: str, port: str) -> Process:
    """Start a web server with an application and wait until it serves."""
    command = WEB_SERVERS[server].replace("chatproject.asgi:application", application)
    environment = {"PORT": port, "STATIC_ROOT": str(collected_static_files())}
    process = stack.run("web", command, environment)
    process.wait_until(lambda: _responds(f"http://127.0.0.1:{port}/test"), "to respond")
    return process


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


async def open_sessions(stack: Stack, count: int) -> list[ClientConnection]:
    """Create sessions and open a plain socket for each."""
    tokens = new_tokens(stack, count)
    return [await connect(f"{stack.ws_url}?token={token}", proxy=None) for token in tokens]


async def close_all(sockets: Sequence[ClientConnection]) -> None:
    await asyncio.gather(*(socket.close() for socket in sockets))


async def round_trips_ms(socket: ClientConnection, count: int) -> list[float]:
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


async def replies_per_second(sockets: Sequence[ClientConnection], each: int) -> float:
    """Send on all sockets at once, each after its own replies; return replies per second."""
    start = time.perf_counter()
    await asyncio.gather(*(round_trips_ms(socket, each) for socket in sockets))
    return len(sockets) * each / (time.perf_counter() - start)


def spread(took_ms: Sequence[float]) -> str:
    """Return p50, p95 and p99 as text."""
    cuts = statistics.quantiles(took_ms, n=100, method="inclusive")
    return f"p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, p99 {cuts[98]:.1f} ms"


def _sweeps(stack: Stack) -> bool:
    return bool(requests.get(f"{stack.url}/readyz", timeout=5).json()["checks"]["sweep"] == "ok")


def _responds(address: str) -> bool:
    try:
        return requests.get(address, timeout=2).ok
    except (requests.RequestException, json.JSONDecodeError):
        return False
