"""A long queue on a single server: what a sweep finds, and what workers claim."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from chat.store.client import Store
from chat.store.operation import cluster


@pytest.fixture
def queue(store: Store) -> Iterator[list[str]]:
    """Sessions in the order in which they wait, before all that other tests left; no worker."""
    store.redis.delete("chat:workers", "chat:slots")
    names = [f"queue-{number}-{uuid4().hex}" for number in range(30)]
    store.redis.zadd("chat:waiting", {name: index for index, name in enumerate(names)})
    store.redis.zadd("chat:due", {name: index for index, name in enumerate(names)})
    yield names
    store.redis.zrem("chat:waiting", *names)
    store.redis.zrem("chat:due", *names)


def swept(store: Store, queue: list[str], least: int) -> list[str]:
    return [each for each in store.run(cluster.sweep(500, least)).sessions if each in queue]


def test_a_sweep_finds_as_many_waiting_sessions_as_there_are_free_slots(
    store: Store, queue: list[str]
) -> None:
    assert swept(store, queue, 3) == queue[:3]
    assert store.redis.zcount("chat:due", 0, 100) == 0, "all were looked at"
    store.run(cluster.heartbeat("worker", free=5))
    assert swept(store, queue, 3) == queue[:8]
    assert swept(store, queue, 0) == queue[:5]


def test_a_sweep_finds_a_lost_session_behind_any_number_of_others(
    store: Store, queue: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SWEEP_SCANNED", 10)
    lost = queue[-1]
    store.redis.zrem("chat:waiting", lost)
    assert swept(store, queue, 3) == [*queue[:3], lost]


def test_sessions_are_claimed_once_and_the_longest_waiting_first(
    store: Store, queue: list[str]
) -> None:
    store.redis.zrem("chat:due", queue[0])  # answered meanwhile
    claimed = [session for _ in range(3) for session in store.run(cluster.claim_waiting())]
    assert claimed == queue[1:4]
    assert not set(queue[1:4]) & set(swept(store, queue, 500)), "they are about to be taken"
    store.redis.zadd("chat:due", {queue[1]: 0})
    assert swept(store, queue, 0) == [queue[1]], "the worker that claimed it was lost"
