"""Delay of each token from the model to the client, and CPU time per token, while replies stream.

Model, systems and clients share this machine's cores. Every token contains the time at which the
model sent it. A stream is late by the time that its last token needs beyond the model's duration.

Each client gets one reply after another. Their starts are spread over the time of a reply, so at
any time nearly all stream while some begin. The burst begins all replies at the same time.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench._chainlit import chainlit
from bench._cpu import CpuMeter
from bench._figures import OURS, Figure, alternate, percentiles
from bench._load import Socket, close_all
from bench._options import options
from bench._systems import System, plain, this_project
from tests.ports import free_port

PER_SECOND = 20
TOKENS = 100
REPLIES = 3
FEW, SOME, MANY = 20, 60, 150
MODEL = {"MAX_NEW_TOKENS": "1000", "REPLY_DEADLINE_S": "300", "WORKER_CONCURRENCY": "160"}


@dataclass
class Stream:
    """What a client saw of one reply: delays of its tokens, and when it began and ended."""

    delays_ms: list[float] = field(default_factory=list)
    first_ms: float = 0.0
    took_s: float = 0.0
    frames: int = 0
    size_bytes: int = 0


def run() -> Iterator[str | Figure]:
    """Measure the systems in turn."""
    tokens, few = options.amount(TOKENS, 5), options.amount(FEW, 2)
    starts = {
        OURS: with_clock_model(this_project, tokens),
        f"{OURS}, uvicorn": with_clock_model(partial(this_project, "uvicorn"), tokens),
        "plain": with_clock_model(
            partial(plain, f"--concurrency {few}", TASK="plain.stream"), tokens
        ),
    } | ({"Chainlit": chainlit()} if options.peers else {})
    with ExitStack() as running:
        systems = {name: running.enter_context(start) for name, start in starts.items()}
        for count in (few, options.amount(SOME, 3), options.amount(MANY, 4)):
            measures = {
                name: partial(measure, system, count, tokens)
                for name, system in systems.items()
                # It needs a process for each stream.
                if name != "plain" or count <= few
            }
            yield from alternate(measures, options.rounds)


@contextmanager
def with_clock_model(
    start: Callable[..., AbstractContextManager[System]], tokens: int
) -> Iterator[System]:
    """Start a system with a model that writes this many tokens."""
    port = free_port()
    with start(MODEL_URL=f"http://127.0.0.1:{port}/", **MODEL) as system:
        command = f"python -m bench._clock_model {port} {tokens} {PER_SECOND}"
        system.stack.run("model", command, {})
        yield system


def measure(system: System, count: int, tokens: int) -> Mapping[str, float]:
    """Let this many replies stream at a time, then let as many begin at once."""
    figures = asyncio.run(_measure(system, count, tokens))
    return {f"{count} stream{'s' * (count > 1)}: {name}": each for name, each in figures.items()}


async def _measure(system: System, count: int, tokens: int) -> Mapping[str, float]:
    sockets = await system.open(count, streams=True)
    duration_s = tokens / PER_SECOND
    meter, started_at = CpuMeter(system.stack), time.monotonic()
    replies = await asyncio.gather(
        *(
            _converse(system, socket, tokens, number / count * duration_s)
            for number, socket in enumerate(sockets)
        )
    )
    took_s, used_s = time.monotonic() - started_at, meter.used_s()
    shares = meter.shares()
    # The first reply of each began before all streamed, the last one ended when not all did.
    figures = _delays([stream for streams in replies for stream in streams[1:-1]], tokens)
    burst = await asyncio.gather(*(_read(system, socket, tokens) for socket in sockets))
    await close_all(sockets)
    figures["all begin at once: first token, p99 (ms)"] = _first_p99(burst)
    read = count * REPLIES * tokens
    figures["tokens/s"] = read / took_s
    for kind in used_s:
        figures[f"{kind} (% of a core)"] = shares[kind]
        figures[f"CPU per token, {kind} (µs)"] = used_s[kind] / read * 1e6
    return figures


def _delays(streams: Sequence[Stream], tokens: int) -> dict[str, float]:
    delays = [delay for stream in streams for delay in stream.delays_ms]
    p50, p99 = percentiles(delays)
    expected_s = (tokens - 1) / PER_SECOND
    late = statistics.median(stream.took_s for stream in streams) / expected_s - 1
    return {
        "token delay, p50 (ms)": p50,
        "token delay, p99 (ms)": p99,
        "first token, p99 (ms)": _first_p99(streams),
        "end late (%)": late * 100,
        "frames per token": sum(stream.frames for stream in streams) / len(delays),
        "bytes per token": sum(stream.size_bytes for stream in streams) / len(delays),
    }


def _first_p99(streams: Sequence[Stream]) -> float:
    return percentiles([stream.first_ms for stream in streams])[1]


async def _converse(system: System, socket: Socket, tokens: int, wait_s: float) -> list[Stream]:
    await asyncio.sleep(wait_s)
    return [await _read(system, socket, tokens) for _ in range(REPLIES)]


async def _read(system: System, socket: Socket, tokens: int) -> Stream:
    """Send a message and receive its reply to the end."""
    stream = Stream()
    sent_at = first_at = time.monotonic_ns()
    await socket.send(system.message(f"Stream {tokens} {PER_SECOND}"))
    while True:
        frame = await socket.recv()
        now = time.monotonic_ns()
        stream.size_bytes += len(frame)
        text = system.piece(frame)
        if text is None:
            stream.took_s = (now - first_at) / 1e9
            return stream
        if text:
            stream.frames += 1
            if not stream.delays_ms:
                first_at = now
                stream.first_ms = (now - sent_at) / 1e6
            # A token arrives whole.
            stream.delays_ms += [(now - int(token)) / 1e6 for token in text.split()]
