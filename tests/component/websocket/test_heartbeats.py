"""Heartbeats renew many sockets in one round trip, each after the same interval."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from chat.errors import SessionUnknown, StoreUnavailable
from chat.store import sessions
from chat.store.client import AsyncStore, Store
from chat.store.renewals import OpenSocket, Renewal, SocketState
from chat.websocket import heartbeats
from chat.websocket.heartbeats import Heartbeats
from tests.component.conftest import create_session


class CountedStore:
    """A store that counts the sockets of each round trip, and can be away."""

    buckets = 1

    def __init__(self, store: AsyncStore) -> None:
        self.store = store
        self.batches: list[int] = []
        self.is_away = False
        self.failed = asyncio.Event()

    async def run_all(self, commands: Sequence[Any]) -> list[Any]:
        registrations = [json.loads(each.arguments["registrations"]) for each in commands]
        self.batches.append(sum(map(len, registrations)))
        if self.is_away:
            self.failed.set()
            raise StoreUnavailable
        return await self.store.run_all(commands)


class Sockets:
    """Sockets of sessions of their own, with the renewals of each."""

    def __init__(self, store: AsyncStore) -> None:
        self.store = CountedStore(store)
        self.heartbeats = Heartbeats(cast("AsyncStore", self.store))
        self.renewals: dict[str, list[Renewal]] = {}
        self.renewed = asyncio.Event()

    def add(self, session: str) -> None:
        self.renewals[session] = []
        socket = OpenSocket(session, session, address=session)
        self.heartbeats.add(socket, lambda renewal: self._record(session, renewal))

    async def wait_for(self, session: str, count: int) -> list[Renewal]:
        async with asyncio.timeout(10):
            while len(self.renewals[session]) < count:
                self.renewed.clear()
                await self.renewed.wait()
        return self.renewals[session]

    def _record(self, session: str, renewal: Renewal) -> None:
        self.renewals[session].append(renewal)
        self.renewed.set()


@pytest.fixture
def sockets(async_store: AsyncStore, monkeypatch: pytest.MonkeyPatch) -> Sockets:
    monkeypatch.setattr(heartbeats, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(heartbeats, "PAUSE_S", 0.01)
    return Sockets(async_store)


async def test_sockets_are_renewed_together_and_again(sockets: Sockets, store: Store) -> None:
    names = [create_session(store) for _ in range(5)]
    for name in names:
        sockets.add(name)
    for name in names:
        first, second = (await sockets.wait_for(name, 2))[:2]
        assert isinstance(first, SocketState)
        assert isinstance(second, SocketState)
        assert first.last_seq == 0
    assert sockets.store.batches[:2] == [5, 5]


async def test_each_round_trip_is_limited(
    sockets: Sockets, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "BATCH", 2)
    names = [create_session(store) for _ in range(5)]
    for name in names:
        sockets.add(name)
    await sockets.wait_for(names[-1], 1)
    assert sockets.store.batches[:3] == [2, 2, 1]


async def test_a_removed_socket_is_not_renewed(sockets: Sockets, store: Store) -> None:
    kept, removed = create_session(store), create_session(store)
    sockets.add(removed)
    sockets.add(kept)
    sockets.heartbeats.remove(removed)
    sockets.heartbeats.remove("unknown")
    await sockets.wait_for(kept, 2)
    assert sockets.renewals[removed] == []


async def test_a_socket_whose_session_is_gone_is_told(sockets: Sockets, store: Store) -> None:
    gone, other = create_session(store), create_session(store)
    store.run(sessions.erase(gone))
    sockets.add(gone)
    sockets.add(other)
    [renewal] = (await sockets.wait_for(gone, 1))[:1]
    assert isinstance(renewal, SessionUnknown)
    assert isinstance((await sockets.wait_for(other, 1))[0], SocketState)


async def test_heartbeats_go_on_after_an_outage(sockets: Sockets, store: Store) -> None:
    sockets.store.is_away = True
    name = create_session(store)
    sockets.add(name)
    await asyncio.wait_for(sockets.store.failed.wait(), 10)
    sockets.store.is_away = False
    await sockets.wait_for(name, 1)


async def test_a_socket_that_fails_does_not_end_the_heartbeats_of_others(
    sockets: Sockets, store: Store
) -> None:
    failing, other = create_session(store), create_session(store)

    def fail(renewal: Renewal) -> None:
        raise RuntimeError

    sockets.heartbeats.add(OpenSocket(failing, failing, address=failing), fail)
    sockets.add(other)
    await sockets.wait_for(other, 2)


async def test_heartbeats_start_again_after_the_last_socket_left(
    sockets: Sockets, store: Store
) -> None:
    first, second = create_session(store), create_session(store)
    sockets.add(first)
    await sockets.wait_for(first, 1)
    sockets.heartbeats.remove(first)
    task = sockets.heartbeats._task
    assert task is not None
    await asyncio.wait_for(task, 5)
    sockets.add(second)
    await sockets.wait_for(second, 1)
