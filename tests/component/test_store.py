"""The stores run commands blocking, awaited, and several in one round trip."""

from uuid import uuid4

from chat.store import leases, sessions
from chat.store.client import AsyncStore, Store
from chat.store.command import Arguments, Command, LeaseLost, no_value
from tests.component.conftest import LIMITS, send_message, take_message


async def test_the_async_store_runs_the_same_commands(redis_url: str, session: str) -> None:
    store = AsyncStore(redis_url, connections=4)
    try:
        await store.redis.script_flush()
        accepted = await store.run(
            sessions.accept(session, uuid4(), "hi", address="test", limits=LIMITS)
        )
        loaded = await store.run(sessions.load(session))
    finally:
        await store.redis.aclose()
    assert loaded.messages == (accepted.message,)


def test_each_command_of_one_round_trip_fails_by_itself(store: Store, session: str) -> None:
    store.redis.script_flush()
    send_message(store, session)
    take_message(store, session)

    results = store.run_all(
        [
            leases.renew(session, "lease-a"),
            leases.renew(session, "lease-b"),
            leases.renew("0" * 32, "lease-a"),
        ]
    )

    assert results[0] == leases.LeaseStatus(stop_requested=False, length=0)
    assert [type(result) for result in results[1:]] == [LeaseLost, LeaseLost]


def test_a_script_gets_its_keys_and_arguments_by_name(store: Store, session: str) -> None:
    script = "record_health_probe"
    tries: list[Arguments] = [{"kept_ms": 60_000}, {"unused": 1, "kept_ms": 60_000}]
    for arguments in tries:
        key = f"{session}:{len(arguments)}"
        keys = {"unused": "x", "health_probe": key}
        store.run(Command(script, keys, arguments, no_value))
        assert 0 < int(str(store.redis.pttl(key))) <= 60_000
