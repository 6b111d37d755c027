"""Queue positions of many sockets are loaded together, and a limited number at a time."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from chat.schemas import QueueState
from chat.store.client import AsyncStore, Store
from chat.websocket import queue_position
from chat.websocket.queue_position import QueuePositions


class Sockets:
    """Sockets of sessions that wait, with what each received."""

    def __init__(self, store: AsyncStore) -> None:
        self.positions = QueuePositions(store)
        self.received: dict[str, list[int | None]] = {}
        self.changed = asyncio.Event()
        self.limit = 2

    def add(self, session: str) -> None:
        self.received[session] = []
        self.positions.add(session, session, lambda queue: self._note(session, queue))

    async def wait_for(self, session: str, count: int) -> list[int | None]:
        await self.wait_until(lambda: len(self.received[session]) >= count)
        return self.received[session]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _note(self, session: str, queue: QueueState | None) -> bool:
        self.received[session].append(queue.ahead if queue else None)
        self.changed.set()
        return len(self.received[session]) < self.limit


@pytest.fixture
def sockets(async_store: AsyncStore, monkeypatch: pytest.MonkeyPatch) -> Sockets:
    monkeypatch.setattr(queue_position, "INTERVAL_S", 0.02)
    monkeypatch.setattr(queue_position, "PAUSE_S", 0.01)
    return Sockets(async_store)


@pytest.fixture
def waiting(store: Store) -> Iterator[list[str]]:
    """Sessions that have waited longer than any of other tests."""
    names = [f"waiting-{uuid4().hex}" for _ in range(3)]
    store.redis.zadd("chat:waiting", {name: index for index, name in enumerate(names)})
    yield names
    store.redis.zrem("chat:waiting", *names)


async def test_each_socket_is_received_its_position_again_until_it_no_longer_waits(
    sockets: Sockets, waiting: list[str]
) -> None:
    for name in waiting:
        sockets.add(name)
        sockets.positions.add(name, "another", lambda queue: pytest.fail("it was added already"))
    for ahead, name in enumerate(waiting):
        assert await sockets.wait_for(name, 2) == [ahead, ahead]
    task = sockets.positions._task
    assert task is not None
    await asyncio.wait_for(task, 5)
    sockets.add(waiting[0])
    assert await sockets.wait_for(waiting[0], 1) == [0]


async def test_a_session_that_was_taken_meanwhile_has_no_position(
    sockets: Sockets, waiting: list[str], store: Store
) -> None:
    taken, again, _ = waiting
    sockets.limit = 10
    sockets.add(taken)
    sockets.add(again)
    await sockets.wait_for(again, 1)
    store.redis.zrem("chat:waiting", taken)
    store.redis.zadd("chat:waiting", {again: 0.5})  # taken, lost, and waiting again
    await sockets.wait_until(
        lambda: None in sockets.received[taken] and None in sockets.received[again]
    )
    assert sockets.received[again].count(None) == 1
    sockets.positions.remove(taken)
    sockets.positions.remove(again)


async def test_each_round_trip_is_limited_and_a_failing_socket_ends_alone(
    sockets: Sockets, waiting: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_position, "BATCH", 2)

    def fail(queue: QueueState | None) -> bool:
        raise ValueError

    sockets.positions.add("failing", waiting[0], fail)
    for name in waiting:
        sockets.add(name)
    for ahead, name in enumerate(waiting):
        assert (await sockets.wait_for(name, 2))[0] == ahead
