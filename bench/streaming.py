"""Delay of each token from the model to the client, and CPU time per token, while replies stream.

Model, systems and clients share this machine's cores. Every token contains the time at which the
model sent it. A stream is late by the time that its last token needs beyond the model's duration.
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
TOKENS = 200
SOME, MANY = 60, 150
MODEL = {"MAX_NEW_TOKENS": "1000", "REPLY_DEADLINE_S": "300", "WORKER_CONCURRENCY": "160"}


@dataclass
class Stream:
    """What one client saw: delays of its tokens, and when its reply began and ended."""

    delays_ms: list[float] = field(default_factory=list)
    first_ms: float = 0.0
    took_s: float = 0.0
    frames: int = 0
    size_bytes: int = 0


def run() -> Iterator[str | Figure]:
    """Measure the systems in turn."""
    tokens, some = options.amount(TOKENS, 5), options.amount(SOME, 2)
    starts = {
        OURS: with_clock_model(this_project, tokens),
        f"{OURS}, uvicorn": with_clock_model(partial(this_project, "uvicorn"), tokens),
        "plain": with_clock_model(
            partial(plain, f"--concurrency {some}", TASK="plain.stream"), tokens
        ),
    } | ({"Chainlit": chainlit()} if options.peers else {})
    with ExitStack() as running:
        systems = {name: running.enter_context(start) for name, start in starts.items()}
        for count in (some, options.amount(MANY, 3)):
            measures = {
                name: partial(measure, system, count, tokens)
                for name, system in systems.items()
                # It needs a process for each stream, and is far behind with fewer already.
                if name != "plain" or count <= some
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
    """Let this many replies stream at once."""
    return asyncio.run(_measure(system, count, tokens))


async def _measure(system: System, count: int, tokens: int) -> Mapping[str, float]:
    sockets = await system.open(count, streams=True)
    meter, started_at = CpuMeter(system.stack), time.monotonic()
    # The starts are spread over one token's time, as those of visitors are.
    streams = await asyncio.gather(
        *(
            _read(system, socket, tokens, number / count / PER_SECOND)
            for number, socket in enumerate(sockets)
        )
    )
    took_s, used_s, shares = time.monotonic() - started_at, meter.used_s(), meter.shares()
    await close_all(sockets)
    figures = _delays(streams, tokens) | {
        "tokens/s": sum(len(stream.delays_ms) for stream in streams) / took_s
    }
    for kind in used_s:
        figures[f"{kind} (% of a core)"] = shares[kind]
        figures[f"CPU per token, {kind} (µs)"] = used_s[kind] / count / tokens * 1e6
    return {f"{count} stream{'s' * (count > 1)}: {name}": each for name, each in figures.items()}


def _delays(streams: Sequence[Stream], tokens: int) -> dict[str, float]:
    delays = [delay for stream in streams for delay in stream.delays_ms]
    p50, p99 = percentiles(delays)
    _, first_p99 = percentiles([stream.first_ms for stream in streams])
    expected_s = (tokens - 1) / PER_SECOND
    late = statistics.median(stream.took_s for stream in streams) / expected_s - 1
    return {
        "token delay, p50 (ms)": p50,
        "token delay, p99 (ms)": p99,
        "first token, p99 (ms)": first_p99,
        "end late (%)": late * 100,
        "frames per token": sum(stream.frames for stream in streams) / len(delays),
        "bytes per token": sum(stream.size_bytes for stream in streams) / len(delays),
    }


async def _read(system: System, socket: Socket, tokens: int, wait_s: float) -> Stream:
    """Send a message and receive its reply to the end."""
    await asyncio.sleep(wait_s)
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
