"""What 1,000, 100,000 and 10 million daily visitors need, from costs measured in the same run.

A queueing simulation is first compared with two measured points, and then used for what cannot be
measured on one machine: bursts, a lost zone, a slow model.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from redis import Redis

from bench import _demand, idle, streaming
from bench._cpu import KINDS, CpuMeter
from bench._demand import Costs, Demand
from bench._figures import Figure, percentiles
from bench._load import close_all, replies_per_second, round_trips_ms, script
from bench._options import options
from bench._redis_roles import RedisUse
from bench._simulation import Message, Service, Simulation, arrivals
from bench._systems import System, this_project

VISITORS = (1_000, 100_000, 10_000_000)
BUSY_SESSIONS = 200
SESSIONS = 64
MODEL_S = 0.2
SLOTS = 8
ARRIVALS_PER_S = 32  # 80 % of what the slots can
ARRIVALS_FOR_S = 15
STREAMS = 60
IDLE_SOCKETS = 1_000
EVERYTHING = (*KINDS, "model", "client")


def run() -> Iterator[str | Figure]:
    """Measure, compare, compute."""
    with this_project() as system:
        per_message_s, message_roles, trip_ms = asyncio.run(_message_costs(system))
        rate = asyncio.run(_slow_rate(system))
        session_bytes = asyncio.run(_session_bytes(system))
    with this_project(WORKER_CONCURRENCY=str(SLOTS)) as system:
        times_s = arrivals(lambda _: ARRIVALS_PER_S, options.amount(ARRIVALS_FOR_S, 1))
        trips_ms = asyncio.run(_trips_ms(system, times_s))
    service = Service(
        processes=dict.fromkeys(EVERYTHING, 1),
        slots=SESSIONS,
        cpu_s=per_message_s,
        latency_s=max(trip_ms / 1000 - sum(per_message_s.values()), 0.0),
        cores=os.cpu_count(),
    )
    yield from check(service, rate, times_s, trips_ms)
    costs, token_roles = _costs(per_message_s, session_bytes)
    yield from tables(costs, message_roles, token_roles)
    yield from scenarios()


async def _message_costs(system: System) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the CPU time per message by process, Redis' by role, and the round trip in ms."""
    [socket] = await system.open(1)
    await round_trips_ms(socket, options.amount(50, 2))
    trip_ms, _ = percentiles(await round_trips_ms(socket, options.amount(200, 5)))
    await socket.close()
    sockets = await system.open(options.amount(BUSY_SESSIONS, 4))
    use = RedisUse(system.stack.redis_url)
    _, used_s = await replies_per_second(sockets, CpuMeter(system.stack, EVERYTHING))
    await close_all(sockets)
    return used_s, use.shares(), trip_ms


async def _slow_rate(system: System) -> float:
    sockets = await system.open(options.amount(SESSIONS, 4))
    system.set_model_delay(MODEL_S)
    rate, _ = await replies_per_second(sockets, CpuMeter(system.stack))
    await close_all(sockets)
    return rate


async def _trips_ms(system: System, times_s: Sequence[float]) -> list[float]:
    """Send a message at each time, each in a session of its own; return the round trips."""
    system.set_model_delay(MODEL_S)
    sockets = await system.open(len(times_s))
    await round_trips_ms(sockets[0], 5)
    start = time.monotonic()

    async def send(number: int) -> float:
        await asyncio.sleep(max(start + times_s[number] - time.monotonic(), 0))
        [trip_ms] = await round_trips_ms(sockets[number], 1)
        return trip_ms

    trips_ms = await asyncio.gather(*map(send, range(len(sockets))))
    await close_all(sockets)
    return trips_ms


async def _session_bytes(system: System) -> float:
    """Return the memory of Redis for a session whose replies are as long as assumed."""
    script(system.model, text="word " * _demand.TOKENS_PER_REPLY)
    count = options.amount(BUSY_SESSIONS, 4)
    with Redis.from_url(system.stack.redis_url) as redis:
        before = redis.info("memory")["used_memory"]
        sockets = await system.open(count)

        async def converse(socket: Any) -> None:
            for _ in range(_demand.MESSAGES_PER_VISIT):
                await socket.send("a question of usual length, as visitors ask")
                await socket.recv()

        await asyncio.gather(*map(converse, sockets))
        used = redis.info("memory")["used_memory"] - before
    await close_all(sockets)
    return float(used / count)


def check(
    service: Service, rate: float, times_s: Sequence[float], trips_ms: Sequence[float]
) -> Iterator[Figure]:
    """Compare the simulation with two measured points, neither of which gave its costs."""
    closed = Simulation(service, lambda *_: MODEL_S).run_sessions(SESSIONS, for_s=12)
    answered = sum((each.answered_s or 0) >= 2 for each in closed) / 10
    few = Service(service.processes, SLOTS, service.cpu_s, service.latency_s, service.cores)
    arrived = Simulation(few, lambda *_: MODEL_S).run_arrivals(times_s)
    simulated_ms = [each.took_s * 1000 for each in arrived]
    rate_name = f"{SESSIONS} sessions, 200 ms model (replies/s)"
    for system, rates, all_ms in (
        ("measured", rate, trips_ms),
        ("simulated", answered, simulated_ms),
    ):
        p50, p99 = percentiles(all_ms)
        for name, value in {
            rate_name: rates,
            f"{SLOTS} slots, {ARRIVALS_PER_S} messages/s: p50 (ms)": p50,
            f"{SLOTS} slots, {ARRIVALS_PER_S} messages/s: p99 (ms)": p99,
        }.items():
            yield Figure(name, system, (value,), "check")


def _costs(
    per_message_s: Mapping[str, float], session_bytes: float
) -> tuple[Costs, dict[str, float]]:
    """Measure what tokens and idle sockets cost; return also Redis' roles for tokens."""
    tokens = options.amount(100, 5)
    with streaming.with_clock_model(this_project, tokens) as system:
        use = RedisUse(system.stack.redis_url)
        count = options.amount(STREAMS, 2)
        streams = streaming.measure(system, count, tokens)
        token_roles = use.shares()
    prefix = next(iter(streams)).partition(":")[0]
    idle_count = options.amount(IDLE_SOCKETS, 10)
    sockets = idle.measure(partial(this_project, SESSION_TTL_S="7200"), idle_count)
    costs = Costs(
        per_message_s=per_message_s,
        per_token_s={
            kind: streams[f"{prefix}: CPU per token, {kind} (µs)"] / 1e6 for kind in KINDS
        },
        idle_socket={
            "web": sockets["Idle sockets, web (% of a core)"] / 100 / idle_count,
            "redis": sockets["Idle sockets, Redis (% of a core)"] / 100 / idle_count,
        },
        socket_bytes=sockets["Memory of web per socket (KB)"] * 1024,
        session_bytes=session_bytes,
        token_bytes=streams[f"{prefix}: bytes per token"],
    )
    return costs, token_roles


def tables(
    costs: Costs, message_roles: Mapping[str, float], token_roles: Mapping[str, float]
) -> Iterator[Figure]:
    """Yield what is computed from the costs."""
    for kind in KINDS:
        cells = {
            "a message (µs)": costs.per_message_s[kind] * 1e6,
            "a token (µs)": costs.per_token_s[kind] * 1e6,
            "an idle socket (µs/s)": costs.idle_socket.get(kind, 0.0) * 1e6,
        }
        for name, value in cells.items():
            yield Figure(name, kind, (value,), "costs")
    for name, value in costs.sizes().items():
        yield Figure(name, "measured", (value,), "sizes")
    for name, value in _demand.ASSUMPTIONS.items():
        yield Figure(name, "assumed", (value,), "assumptions")
    for visitors in VISITORS:
        for name, value in Demand(visitors).needs(costs).items():
            yield Figure(name, f"{visitors:,} visitors", (value,), "needs")
    for name, carried in _demand.ends(costs, message_roles, token_roles).items():
        yield Figure(name, "daily visitors", (carried,), "ends")


# What happens in five minutes of the busiest hour, from the end of the first minute.
SCENARIOS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "three times the messages, for a minute": {"burst": 3},
    "six times the messages, for a minute": {"burst": 6},
    "a zone is lost": {"is_zone_lost": True},
    "a zone is lost, and three times the messages": {"is_zone_lost": True, "burst": 3},
    "the model writes at half its speed, for two minutes": {"slower": 2},
    "the model writes at a quarter of its speed, for two minutes": {"slower": 4},
}
SCENARIO_S = 300
BEGINS_S = 60


def scenarios() -> Iterator[Figure]:
    """Simulate the deployment for 100,000 visitors when something happens to it."""
    demand = Demand(100_000)
    slots = demand.gpus * _demand.STREAMS_PER_GPU
    for name, events in SCENARIOS.items():
        messages = _simulate(demand, slots, **events)
        waits_s = [each.waited_s for each in messages if each.answered_s is not None]
        p50, p99 = percentiles(waits_s)
        failed = 1 - len(waits_s) / len(messages)
        late_s = [each.sent_s - BEGINS_S for each in messages if each.waited_s > 1]
        cells = {
            "waiting, p50 (s)": p50,
            "waiting, p99 (s)": p99,
            "waiting, longest (s)": max(waits_s),
            "failed at the deadline (%)": failed * 100,
            "until nobody waits for 1 s (s)": max([0.0, *late_s]),
        }
        for column, value in cells.items():
            yield Figure(name, column, (value,), "scenarios")


def _simulate(
    demand: Demand, slots: int, burst: float = 1, slower: float = 1, is_zone_lost: bool = False
) -> list[Message]:
    def rate(now_s: float) -> float:
        is_burst = BEGINS_S <= now_s < BEGINS_S + 60
        return demand.messages_per_s * (burst if is_burst else 1)

    def model_s(chance: random.Random, now_s: float) -> float:
        is_slow = BEGINS_S <= now_s < BEGINS_S + 120
        tokens = chance.expovariate(1 / _demand.TOKENS_PER_REPLY)
        return tokens / _demand.TOKENS_PER_S * (slower if is_slow else 1)

    simulation = Simulation(Service(processes={}, slots=slots, cpu_s={}), model_s)
    if is_zone_lost:
        simulation.lose_slots(1 / _demand.ZONES, BEGINS_S)
    return simulation.run_arrivals(arrivals(rate, SCENARIO_S))
