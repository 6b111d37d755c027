"""Delay of each token from the model to the client, and CPU time per token, while replies stream.

Model, site and clients share this machine's cores. Every token contains the time at which the model
sent it. A stream is late by the time that its last token needs beyond the model's own duration.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from bench._cpu import CpuMeter
from bench._load import close_all, new_tokens, site
from tests.ports import free_port
from tests.processes import WEB_SERVERS, Stack

PER_SECOND = 20
TOKENS = 200
STREAMS = (1, 60, 150)


@dataclass
class Stream:
    """What one client saw: delays of its tokens, and when its reply began and ended."""

    delays_ms: list[float] = field(default_factory=list)
    first_ms: float = 0.0
    took_s: float = 0.0
    frames: int = 0


def run() -> Iterator[str]:
    """Measure with each web server."""
    for server in WEB_SERVERS:
        yield server
        for count in STREAMS:
            yield f"  {measure(server, count)}"


def measure(server: str, count: int) -> str:
    """Start a site and let this many replies stream at once."""
    port = free_port()
    model = {"MODEL_URL": f"http://127.0.0.1:{port}/", "WORKER_CONCURRENCY": "160"}
    with site(server, **model, MAX_NEW_TOKENS="1000", REPLY_DEADLINE_S="300") as (stack, _):
        command = f"python -m bench._clock_model {port} {TOKENS} {PER_SECOND}"
        stack.run("clock_model", command, {})
        return asyncio.run(_measure(stack, count))


async def _measure(stack: Stack, count: int) -> str:
    tokens = await asyncio.to_thread(new_tokens, stack, count)
    sockets = [
        await connect(
            f"{stack.ws_url}?token={token}", subprotocols=["chat.v1"], proxy=None, open_timeout=120
        )  # type: ignore[list-item]
        for token in tokens
    ]
    await asyncio.gather(*(socket.recv() for socket in sockets))
    meter = CpuMeter(stack)
    started_at = time.monotonic()
    # The starts are spread over one token's time, as those of visitors are.
    streams = await asyncio.gather(
        *(_read(socket, number / count / PER_SECOND) for number, socket in enumerate(sockets))
    )
    took_s, used_s = time.monotonic() - started_at, meter.used_s()
    await close_all(sockets)
    return _figures(streams, took_s, used_s)


def _figures(streams: Sequence[Stream], took_s: float, used_s: Mapping[str, float]) -> str:
    delays = [delay for stream in streams for delay in stream.delays_ms]
    p50, p99 = _percentiles(delays)
    _, first_p99 = _percentiles([stream.first_ms for stream in streams])
    expected_s = (TOKENS - 1) / PER_SECOND
    late = statistics.median(stream.took_s for stream in streams) / expected_s - 1
    frames = sum(stream.frames for stream in streams) / len(delays)
    return (
        f"{len(streams)} streams: token p50 {p50:.1f} ms, p99 {p99:.1f} ms;"
        f" first p99 {first_p99:.0f} ms; end {late:+.1%}; {frames:.2f} frames a token; CPU "
        + ", ".join(
            f"{kind} {used / took_s:.0%} ({used / len(delays) * 1e6:.0f} µs a token)"
            for kind, used in used_s.items()
        )
    )


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    if len(values) == 1:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


async def _read(socket: ClientConnection, wait_s: float) -> Stream:
    """Send a message and read its reply to the end."""
    await asyncio.sleep(wait_s)
    stream = Stream()
    frame = {"type": "message.send", "id": str(uuid4()), "msg": "Stream"}
    sent_at = first_at = time.monotonic_ns()
    await socket.send(json.dumps(frame))
    async for message in socket:
        now = time.monotonic_ns()
        frame = json.loads(message)
        if frame["type"] == "reply.delta":
            stream.frames += 1
            if not stream.delays_ms:
                first_at = now
                stream.first_ms = (now - sent_at) / 1e6
            # A token arrives whole.
            stream.delays_ms += [(now - int(token)) / 1e6 for token in frame["text"].split()]
        elif frame["type"] == "reply.completed":
            stream.took_s = (now - first_at) / 1e9
            return stream
        elif frame["type"] in {"reply.failed", "error"}:
            raise RuntimeError(f"unexpected frame: {message!r}")
    raise RuntimeError("the socket closed")
