"""Positions of many sessions that wait, also on a Redis Cluster."""

from typing import Any

from chat.store import sessions
from chat.store.client import Store
from chat.store.operation import cluster
from chat.store.queue import Position, positions
from tests.component.conftest import create_session, send_message, take_message


def load(store: Store, several: list[str]) -> dict[int, Position]:
    found: dict[int, Position] = {}
    for numbers, command in positions(several, store.buckets):
        loaded: tuple[Any, ...] = store.run(command)
        found |= dict(zip(numbers, loaded, strict=True))
    return found


def test_positions_are_those_of_the_loaded_sessions(store: Store) -> None:
    several = [create_session(store) for _ in range(6)]
    for session in several[:5]:
        send_message(store, session)
    take_message(store, several[1])
    store.run(cluster.record_queue(store.run(cluster.sweep(10))))

    found = load(store, [*several, "unknown"])

    assert {number for number, position in found.items() if position is None} == {1, 5, 6}
    for number in (0, 2, 3, 4):
        position, expected = found[number], store.run(sessions.load(several[number])).queue
        assert position is not None
        assert position.queue.model_copy(update={"elapsed_s": expected.elapsed_s}) == expected
        assert float(position.since) > 0


def test_a_session_that_was_taken_and_lost_waits_since_another_time(store: Store) -> None:
    session = create_session(store)
    send_message(store, session)
    before = load(store, [session])[0]
    assert before is not None
    store.redis.zrem("chat:waiting", session)
    assert load(store, [session])[0] is None
    store.redis.zadd("chat:waiting", {session: 5})
    after = load(store, [session])[0]
    assert after is not None
    assert before.since != after.since == "5"
    store.redis.zrem("chat:waiting", session)
