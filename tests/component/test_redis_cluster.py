"""What only a Redis Cluster does: several nodes, limits over buckets, estimates, copies."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from chat.cli.doctor import redis_servers
from chat.cli.doctor.findings import Level
from chat.errors import RateLimited, StoreUnavailable, TooManySockets
from chat.management.commands import copy_sessions
from chat.operator.conditions import Query
from chat.operator.session_search import SessionSearch
from chat.schemas import session_id
from chat.store import operators, sessions, shares
from chat.store.client import Store
from chat.store.command import Command
from chat.store.operation import cluster, erasure, transfer
from chat.store.redis_cluster.buckets import bucket_of, in_own_bucket, slot_of
from chat.store.redis_cluster.stores import open_async_store, open_store
from chat.store.shares import ShareLimits
from tests.component.conftest import (
    LIMITS,
    create_session,
    send_message,
    store_reply,
    take_message,
)
from tests.processes import wait_for
from tests.redis_cluster import RedisCluster

pytestmark = pytest.mark.slow

SHARE_LIMITS = ShareLimits(per_session=5, per_minute=100, bytes=100_000)


@pytest.fixture
def store(redis_cluster: RedisCluster) -> Iterator[Store]:
    """A cluster without keys."""
    store = open_store(redis_cluster.url, connections=8)
    for server in store.servers():
        server.flushall()
    yield store
    store.redis.close()


@pytest.fixture
def server(redis_url: str) -> Iterator[Store]:
    """A single server without keys."""
    server = Store(redis_url, connections=2)
    server.redis.flushall()
    yield server
    server.redis.close()


def sessions_of_buckets(store: Store, count: int) -> list[str]:
    """Create sessions that are all in different buckets."""
    found: dict[int, str] = {}
    while len(found) < count:
        session = session_id(str(uuid4()))
        found.setdefault(bucket_of(session), session)
    for session in found.values():
        store.run(sessions.create(session, "Ada", address=session, limits=LIMITS))
    return list(found.values())


def test_an_address_has_one_limit_over_all_buckets(store: Store) -> None:
    limits = replace(LIMITS, messages_per_minute_per_ip=3)
    several = sessions_of_buckets(store, 4)
    accept = [
        sessions.accept(each, uuid4(), "hello", address="a", limits=limits) for each in several
    ]

    results = [store.run(command) for command in accept[:3]]
    with pytest.raises(RateLimited):
        store.run(accept[3])

    assert all(result.new for result in results)


def test_an_address_has_one_limit_of_sockets_and_a_refused_one_does_not_count(
    store: Store,
) -> None:
    several = sessions_of_buckets(store, LIMITS.sockets_per_ip + 1)

    def register(session: str) -> Command[None]:
        return sessions.register_socket(session, f"of {session}", address="a", limits=LIMITS)

    gone = session_id("gone")
    results = store.run_all([register(each) for each in [*several, gone]])
    assert [isinstance(each, TooManySockets) for each in results[:-1]] == [False] * 3 + [True]

    store.run(sessions.unregister_socket(several[0], f"of {several[0]}", address="a"))
    with pytest.raises(Exception, match="Session"):
        store.run(register(gone))
    store.run(register(several[-1]))


def test_the_queue_is_estimated_from_all_buckets(store: Store) -> None:
    several = sessions_of_buckets(store, 10)
    for session in several:
        send_message(store, session)
    take_message(store, several[0])
    alone = store.run(sessions.load(several[5])).queue
    store.run(cluster.record_queue(store.run(cluster.sweep(10))))

    queue = store.run(sessions.load(several[5])).queue

    assert alone is not None
    assert (alone.waiting, alone.ahead) == (1, 0)
    assert queue is not None
    assert (queue.waiting, queue.in_progress, queue.ahead) == (9, 1, 4), "in the middle of nine"


def test_every_session_learns_of_workers_and_operators_on_duty(store: Store) -> None:
    store.run(cluster.heartbeat("worker", free=1))
    store.run(operators.stay_on_duty("socket"))
    for session in sessions_of_buckets(store, 5):
        loaded = store.run(sessions.load(session))
        assert loaded.queue is not None
        assert (loaded.queue.workers, loaded.operators_on_duty) == (1, 1)
    state = store.run(cluster.load())
    assert (state.alive, state.operators_on_duty) == (["worker"], 1)
    assert store.run(cluster.find_slot("another")) == "worker"


def test_both_clients_find_the_same_keys(store: Store, redis_cluster: RedisCluster) -> None:
    several = sessions_of_buckets(store, 20)
    for session in several[:7]:
        send_message(store, session)

    async def load_all() -> tuple[list[object], int]:
        awaited = open_async_store(redis_cluster.url, connections=4)
        loaded = await awaited.run_all([sessions.load(each) for each in several])
        one_by_one = [awaited.run(sessions.load(each)) for each in several]
        assert [each.id for each in await asyncio.gather(*one_by_one)] == several
        state = await awaited.run(cluster.load())
        await awaited.redis.aclose()
        return list(loaded), state.waiting

    loaded, waiting = asyncio.run(load_all())
    assert [each.id for each in loaded] == several  # type: ignore[attr-defined]
    assert waiting == 7


def test_the_admins_list_merges_the_pages_of_all_nodes(store: Store) -> None:
    for number in range(30):
        create_session(store, f"Name {number:02}")
    search = SessionSearch(store)
    wait_for(lambda: SessionSearch(store).count(Query()) == 30, "the index")
    assert search.indexed_share == 1

    by_name = Query(order="name", descending=False)
    pages = search.page(by_name, 0, 20) + search.page(by_name, 20, 30)
    assert [each.name for each in pages] == [f"Name {number:02}" for number in range(30)]
    newest = search.page(Query(order="started", descending=True), 0, 25)
    starts = [each.started for each in newest]
    assert len(starts) == 25
    assert starts == sorted(starts, reverse=True)


def test_the_doctor_checks_every_primary(redis_cluster: RedisCluster) -> None:
    url = redis_cluster.url
    with override_settings(REDIS_URL=url, CELERY_BROKER_URL=url, CHANNEL_REDIS_URL=url):
        findings = list(redis_servers.check_servers())

    responses = [each.text for each in findings if "responds in" in each.text]
    assert len(responses) == 3
    for node in redis_cluster.nodes:
        assert any(node.address in text for text in responses)
    assert not [each.text for each in findings if each.level is Level.FAILURE]


def test_deleted_texts_leave_the_files_of_all_nodes(
    store: Store, redis_cluster: RedisCluster
) -> None:
    text = f"secret {uuid4()}"

    def files() -> list[Path]:
        folders = [node.folder / "appendonlydir" for node in redis_cluster.nodes]
        found = [file for folder in folders for file in folder.iterdir()]
        with suppress(FileNotFoundError):  # a rewrite has just replaced it
            return [file for file in found if text.encode() in file.read_bytes()]
        return found

    several = sessions_of_buckets(store, 10)
    for session in several:
        send_message(store, session, text)
    assert len({file.parent for file in files()}) == 3
    for session in several:
        store.run(sessions.erase(session))

    def is_complete() -> bool:
        erasure.erase_deleted_texts(store, interval_s=0)
        return store.run(erasure.load()).oldest_deletion_s is None

    wait_for(is_complete, "the rewrites")
    wait_for(lambda: not files(), "the old files to be removed")


def test_a_node_that_is_away_fails_only_its_own_sessions(tmp_path: Path) -> None:
    with RedisCluster(tmp_path) as nodes:
        store = open_store(nodes.url, connections=4)
        several = sessions_of_buckets(store, 12)
        away = nodes.primary_of(slot_of(in_own_bucket(sessions.load(several[0]))))
        of_node = {
            each
            for each in several
            if nodes.primary_of(slot_of(in_own_bucket(sessions.load(each)))) is away
        }
        away.kill()

        results = store.run_all([sessions.load(each) for each in several])

        failed = {
            session
            for session, result in zip(several, results, strict=True)
            if isinstance(result, StoreUnavailable)
        }
        assert failed == of_node
        with pytest.raises(StoreUnavailable):
            store.run(cluster.load())
        limits = replace(LIMITS, pending=10)
        here = next(each for each in several if each not in of_node)
        for _ in range(8):
            address = str(uuid4())  # whose slot may be on the node that is away
            store.run(sessions.accept(here, uuid4(), "hello", address=address, limits=limits))
        due = in_own_bucket(sessions.load(here)).keys["due"]
        store.redis.zadd(due, {here: 0})
        assert store.run(cluster.sweep(10)).sessions == (here,), "others are swept"
        away.start()
        wait_for(lambda: _responds(store), "the node to be found again")
        store.redis.close()


def _responds(store: Store) -> bool:
    try:
        return bool(store.run(cluster.check_writable()))
    except StoreUnavailable:
        return False


def begin_conversations(server: Store) -> list[str]:
    """Create sessions with a reply, a waiting message, a link, a rating and a request."""
    several = [create_session(server, f"Ada {number}") for number in range(20)]
    for session in several:
        message = send_message(server, session, 'text with "quotes" and é')
        store_reply(server, session, "ü" * 50)
        secret = shares.new_secret(session)
        share = shares.create(
            session,
            shares.share_id(secret),
            ["one", "two"],
            messages=2,
            is_named=True,
            ttl_s=300,
            address=session,
            limits=SHARE_LIMITS,
        )
        server.run(share)
        assert message.seq == 1
    send_message(server, several[0])
    server.run(operators.request(several[1], wanted=True))
    return several


def test_sessions_are_copied_to_a_cluster_once_and_without_loss(
    server: Store, store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = begin_conversations(server)
    monkeypatch.setattr(copy_sessions, "store", lambda: store)

    def copy() -> str:
        output = StringIO()
        call_command("copy_sessions", redis_url, stdout=output)
        return output.getvalue().rpartition("\r")[2]

    assert copy().startswith("20 sessions copied, 0 were there already")
    for session in several:
        [one, other] = [each.run(transfer.export(session)) for each in (server, store)]
        assert one is not None
        assert other is not None
        assert json.dumps(one.content(), sort_keys=True) == json.dumps(
            other.content(), sort_keys=True
        )
        [share] = store.run(shares.load_all(session))
        assert store.run(shares.load_part(share.id, 2)).text == "two"
        expiries = [each.run(sessions.load(session)).expires_at for each in (server, store)]
        assert expiries[0] == expiries[1]
    assert store.run(cluster.sweep(10)).sessions == (several[0],)
    assert [each.session for each in store.run(operators.requests())] == [several[1]]
    assert copy().startswith("0 sessions copied, 20 were there already")

    send_message(server, several[2])
    assert copy().startswith("1 sessions copied, 19 were there already")
    store.run(cluster.heartbeat("worker", free=1))
    with pytest.raises(CommandError, match="stop it first"):
        copy()
