"""A queueing model of the service: processes that compute, slots, and the model's servers.

A message passes web, Redis and a worker, waits for a slot, is answered by the model, and returns.
A process computes one thing at a time. Processes share cores, or each has its own.
"""

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import simpy

Steps = Generator[Any, Any, Any]
# Until the sweep gives a lost worker's message to another one: its lease, and the sweep's interval.
RECOVERY_S = 2.5 + 1.0
FIRST = -1


@dataclass(frozen=True)
class Service:
    """What runs: processes by kind and slots of all workers. `cores` None: one for each process.

    `cpu_s` is the CPU time per message by kind of process, `latency_s` what passes besides.
    """

    processes: Mapping[str, int]
    slots: int
    cpu_s: Mapping[str, float]
    latency_s: float = 0.0
    cores: int | None = None
    deadline_s: float = 120.0


@dataclass
class Message:
    """When a message was sent, began to be answered for the last time, and was answered."""

    sent_s: float
    started_s: float | None = None
    answered_s: float | None = None

    @property
    def waited_s(self) -> float:
        """The time until the model began; until it was answered at all, if that failed."""
        return (self.started_s or float("inf")) - self.sent_s

    @property
    def took_s(self) -> float:
        return (self.answered_s or float("inf")) - self.sent_s


class Simulation:
    """One run. `model_s` returns how long the model writes a reply that begins at a time."""

    def __init__(
        self, service: Service, model_s: Callable[[random.Random, float], float], seed: int = 1
    ) -> None:
        self.messages: list[Message] = []
        self._service, self._model_s = service, model_s
        self._random = random.Random(seed)  # noqa: S311 the same run for the same seed
        self._env = simpy.Environment()
        self._slots = simpy.PriorityResource(self._env, service.slots)
        self._answering: list[simpy.Process] = []
        self._cores = simpy.Resource(self._env, service.cores) if service.cores else None
        self._processes = {
            kind: simpy.Resource(self._env, count) for kind, count in service.processes.items()
        }

    def run_sessions(self, count: int, for_s: float) -> list[Message]:
        """Let sessions send one message after the other; return the messages."""
        for _ in range(count):
            self._env.process(self._session())
        self._env.run(for_s)
        return self.messages

    def run_arrivals(self, times_s: Sequence[float]) -> list[Message]:
        """Let messages arrive at these times and wait for all; return them."""
        self._env.process(self._arrivals(times_s))
        self._env.run()
        return self.messages

    def lose_slots(self, part: float, at_s: float) -> None:
        """Lose this part of the slots at a time; what is answered in them begins again."""
        self._env.process(self._lose_slots(part, at_s))

    def _session(self) -> Steps:
        while True:
            yield from self._exchange()

    def _arrivals(self, times_s: Sequence[float]) -> Steps:
        for time_s in times_s:
            yield self._env.timeout(time_s - self._env.now)
            self._env.process(self._exchange())

    def _lose_slots(self, part: float, at_s: float) -> Steps:
        yield self._env.timeout(at_s)
        busy = self._answering
        for process in self._random.sample(busy, round(len(busy) * part)):
            process.interrupt()
        for _ in range(round(self._slots.capacity * part)):
            self._slots.request(priority=FIRST)  # and never release

    def _exchange(self) -> Steps:
        message = Message(self._env.now)
        self.messages.append(message)
        yield from self._pass("client", "web", "redis")
        while not (yield from self._is_answered(message)):
            if self._env.now - message.sent_s > self._service.deadline_s:
                message.started_s = None
                return
            yield self._env.timeout(RECOVERY_S)
        yield from self._pass("redis", "web", "client")
        yield self._env.timeout(self._service.latency_s)
        message.answered_s = self._env.now

    def _is_answered(self, message: Message) -> Steps:
        """Answer a message in a slot, the oldest first; return whether it ended in time."""
        with self._slots.request(priority=round(message.sent_s * 1000)) as slot:
            yield slot
            message.started_s = self._env.now
            if self._env.now - message.sent_s > self._service.deadline_s:
                return False
            process = cast(simpy.Process, self._env.active_process)
            self._answering.append(process)
            try:
                yield from self._pass("worker", "model")
                yield self._env.timeout(self._model_s(self._random, self._env.now))
                yield from self._pass("model", "worker")
            except simpy.Interrupt:  # its slot was lost
                return False
            finally:
                self._answering.remove(process)
        return True

    def _pass(self, *kinds: str) -> Steps:
        """Compute half of a message's cost in each kind of process."""
        for kind in kinds:
            if kind in self._processes:
                with self._processes[kind].request() as process:
                    yield process
                    yield from self._compute(self._service.cpu_s[kind] / 2)

    def _compute(self, cost_s: float) -> Steps:
        if self._cores is None:
            yield self._env.timeout(cost_s)
            return
        with self._cores.request() as core:
            yield core
            yield self._env.timeout(cost_s)


def arrivals(rate: Callable[[float], float], for_s: float, seed: int = 1) -> list[float]:
    """Return random times of arrivals, at a rate that depends on the time."""
    # Not the random numbers of a simulation with the same seed: replies must not depend on pauses.
    chance, now, times = random.Random(f"arrivals {seed}"), 0.0, []  # noqa: S311
    while (now := now + chance.expovariate(rate(now))) < for_s:
        times.append(now)
    return times
