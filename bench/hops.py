"""Where the time of one message's round trip passes, hop by hop.

Redis reports its commands by MONITOR, the model's stub when it received and answered each request;
both use this machine's clock, as the client does. Only one message is on its way at a time.
"""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import requests
from redis import Redis

from bench._figures import OURS, Figure, alternate
from bench._load import round_trips_ms
from bench._options import options
from bench._systems import System, bare_path, plain, this_project

# How a command of the broker and of the channel layer begins. The core layer sends by a script.
TASK = "LPUSH"
EVENTS = {OURS: "PUBLISH", "plain": "EVAL", "bare path": "PUBLISH"}
MESSAGES = 200


class Command(NamedTuple):
    """A command that Redis executed, and when, in seconds since the epoch."""

    at_s: float
    name: str


def run() -> Iterator[str | Figure]:
    """Measure the systems in turn."""
    systems = {OURS: this_project(), "plain": plain(), "bare path": bare_path()}
    with ExitStack() as running:
        measures = {
            name: partial(measure, running.enter_context(system), EVENTS[name])
            for name, system in systems.items()
        }
        yield from alternate(measures, options.rounds)


def measure(system: System, event: str) -> Mapping[str, float]:
    """Measure one system once; return the median of each hop."""
    system.set_model_delay(0)
    requests.delete(f"{system.model}/requests", timeout=10)
    with Redis.from_url(system.stack.redis_url, decode_responses=True) as redis:
        commands, trips = asyncio.run(_send(system, redis))
    calls = requests.get(f"{system.model}/requests", timeout=10).json()
    complete = list(filter(None, (hops(trip, commands, calls, event) for trip in trips)))
    return {name: statistics.median(each[name] for each in complete) for name in complete[0]}


async def _send(system: System, redis: Any) -> tuple[list[Command], list[tuple[float, float]]]:
    [socket] = await system.open(1)
    await round_trips_ms(socket, options.amount(50, 2))
    commands: list[Command] = []
    with redis.monitor() as monitor:
        is_over = threading.Event()
        reading = asyncio.to_thread(_collect, monitor, commands, is_over)
        reader = asyncio.create_task(reading)
        trips = []
        for _ in range(options.amount(MESSAGES, 5)):
            sent_at_s = time.time()
            await round_trips_ms(socket, 1)
            trips.append((sent_at_s, time.time()))
        is_over.set()
        redis.ping()  # a last command to report
        await reader
    await socket.close()
    return commands, trips


def _collect(monitor: Any, commands: list[Command], is_over: threading.Event) -> None:
    for command in monitor.listen():
        commands.append(Command(command["time"], command["command"].split(" ", 1)[0].upper()))
        if is_over.is_set():
            return


def hops(
    trip: tuple[float, float],
    commands: Sequence[Command],
    calls: Sequence[Mapping[str, float]],
    event: str,
) -> dict[str, float] | None:
    """Return how long each hop of a round trip took, in milliseconds; None if one was not seen."""
    sent, received = trip
    within = [each for each in commands if sent <= each.at_s <= received]
    call = next((each for each in calls if sent <= each["received_at_s"] <= received), None)
    task = next((each.at_s for each in within if each.name == TASK), None)
    if call is None or task is None:
        return None
    asked, answered = call["received_at_s"], call["finished_at_s"]
    published = next(
        (each.at_s for each in within if each.name == event and each.at_s >= answered), None
    )
    if published is None:
        return None
    moments = {
        "Client to broker (ms)": task,
        "Broker to model (ms)": asked,
        "Model (ms)": answered,
        "Model to channel layer (ms)": published,
        "Channel layer to client (ms)": received,
    }
    before = [sent, *moments.values()]
    took = {
        name: (at - earlier) * 1000
        for (name, at), earlier in zip(moments.items(), before, strict=False)
    }
    return took | {"Whole round trip (ms)": (received - sent) * 1000}
