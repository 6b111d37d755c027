"""Texts that were deleted leave the files of a real Redis."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from chat.schemas import session_id
from chat.store import sessions, shares
from chat.store.client import Store
from chat.store.operation import cluster, erasure
from chat.store.operation.erasure import Outcome
from chat.store.shares import ShareLimits
from tests.component.conftest import LIMITS
from tests.processes import Stack, wait_for

TEXT = "my diary, which is nobody else's business"
NAME = "Grace-Brewster-Murray"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("site"), {}) as stack:
        stack.start_redis()
        yield stack


@pytest.fixture
def store(site: Stack) -> Iterator[Store]:
    """The embedded Redis of a site of its own, without sessions."""
    store = Store(site.redis_url, connections=2)
    store.redis.flushall()
    store.redis.config_set("rdbcompression", "no")  # it would hide texts from the search below
    yield store
    store.redis.close()


def files_with(site: Stack, text: str) -> list[str]:
    """Return the names of the files in DATA_DIR that contain a text."""
    folder = Path(site.environment["DATA_DIR"])
    return [
        file.name
        for file in folder.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


def begin_conversation(store: Store, ttl_s: float = 600) -> str:
    """Create a session with a message and a link to a snapshot of it; return its id."""
    limits = replace(LIMITS, ttl_s=ttl_s)
    session = session_id(str(uuid4()))
    store.run(sessions.create(session, NAME, address=session, limits=limits))
    store.run(sessions.accept(session, uuid4(), TEXT, address=session, limits=limits))
    snapshot = shares.create(
        session,
        shares.share_id(shares.new_secret(session)),
        [TEXT, NAME],
        messages=1,
        is_named=True,
        ttl_s=None,
        address=session,
        limits=ShareLimits(per_session=1, per_minute=1, bytes=1_000),
    )
    store.run(snapshot)
    return session


def erase(store: Store, interval_s: float = 0) -> None:
    erasure.erase_deleted_texts(store, interval_s=interval_s)


def rewrites(store: Store) -> int:
    wait_for(lambda: not store.redis.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
    return int(store.redis.info("persistence")["aof_rewrites"])


def wait_for_expiries(store: Store) -> None:
    """Wait until every recorded deletion is in the past by Redis' clock."""

    def is_past() -> bool:
        seconds, microseconds = store.redis.time()
        now_ms = seconds * 1000 + microseconds // 1000
        return int(store.redis.zcount("chat:deletions", now_ms, "+inf")) == 0

    wait_for(is_past, "the sessions to expire", 5)


def wait_until_erased(store: Store, site: Stack) -> None:
    """Call the task as beat does, until the last rewrite is complete."""

    def is_complete() -> bool:
        erase(store)
        return store.run(erasure.load()).oldest_deletion_s is None

    wait_for(is_complete, "the rewrite to complete")
    # Redis removes the old file in the background.
    wait_for(lambda: not files_with(site, TEXT), "the old file to be removed", 10)
    assert not files_with(site, NAME)


def test_the_texts_of_a_deleted_session_leave_all_files(site: Stack, store: Store) -> None:
    kept = begin_conversation(store)
    session = begin_conversation(store)
    store.run(sessions.erase(kept))
    store.run(sessions.erase(session))
    assert files_with(site, TEXT), "Redis appended them"

    wait_until_erased(store, site)


def test_the_texts_of_an_expired_session_leave_all_files(site: Stack, store: Store) -> None:
    session = begin_conversation(store, ttl_s=0.3)
    assert store.run(erasure.load()).oldest_deletion_s is None, "it has not expired yet"
    wait_for_expiries(store)
    assert not store.redis.exists(f"chat:{{{session}}}:document")
    assert files_with(site, TEXT)

    wait_until_erased(store, site)


def test_the_texts_of_expired_sessions_leave_also_if_redis_has_not_noticed_them(
    site: Stack, store: Store
) -> None:
    # Among many keys that live on, Redis takes long to find the few that have expired.
    with store.redis.pipeline(transaction=False) as pipeline:
        for number in range(50_000):
            pipeline.set(f"other:{number}", "x", ex=600)
        pipeline.execute()
    for _ in range(20):
        begin_conversation(store, ttl_s=0.2)
    wait_for_expiries(store)

    wait_until_erased(store, site)


def test_texts_of_living_sessions_stay(site: Stack, store: Store) -> None:
    session = begin_conversation(store)
    store.run(sessions.erase(begin_conversation(store)))
    before = rewrites(store)
    erase(store)
    assert rewrites(store) == before + 1
    assert files_with(site, TEXT)
    assert [message.msg for message in store.run(sessions.load(session)).messages] == [TEXT]


def test_nothing_is_rewritten_while_nothing_is_deleted(store: Store) -> None:
    begin_conversation(store)
    before = rewrites(store)
    erase(store)
    assert rewrites(store) == before


def test_deletions_do_not_pile_up_without_rewrites(store: Store) -> None:
    for number in range(1, 50):
        store.redis.zadd("chat:deletions", {str(number): number})
    begin_conversation(store)
    store.run(cluster.sweep(1))
    due = store.redis.zrange("chat:deletions", 0, -1)
    assert due[:2] == ["1", "49"]
    assert len(due) == 3, "the expiry of the conversation is kept"


def test_rewrites_keep_their_interval(store: Store) -> None:
    before = rewrites(store)
    for _ in range(3):
        store.run(sessions.erase(begin_conversation(store)))
        erase(store, interval_s=60)
    assert rewrites(store) == before + 1


def test_a_rewrite_that_redis_did_not_survive_is_repeated(site: Stack, store: Store) -> None:
    store.run(sessions.erase(begin_conversation(store)))
    erase(store)
    store.redis.hset("chat:rewrite", "run", "an earlier run of Redis")

    wait_for(lambda: not store.redis.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
    erase(store, interval_s=60)

    assert store.run(erasure.load()).outcome is Outcome.FAILED
    assert store.run(erasure.load()).oldest_deletion_s is not None, "it is not forgotten"
    wait_until_erased(store, site)


def test_a_snapshot_is_replaced_too(site: Stack, store: Store) -> None:
    session = begin_conversation(store)
    store.redis.save()
    assert "dump.rdb" in files_with(site, TEXT)
    store.run(sessions.erase(session))
    wait_until_erased(store, site)


@pytest.fixture
def restricted(site: Stack, store: Store) -> Iterator[Callable[..., Store]]:
    """Return a store whose user may not run some commands, as on a managed server."""
    stores: list[Store] = []

    def connect(*denied: str) -> Store:
        rules = ["reset", "on", ">secret", "~*", "&*", "+@all", *(f"-{each}" for each in denied)]
        store.redis.execute_command("ACL", "SETUSER", "managed", *rules)
        _, _, address = site.redis_url.rpartition("@")
        stores.append(Store(f"redis://managed:secret@{address}", connections=1))
        return stores[-1]

    yield connect
    for each in stores:
        each.redis.close()


def test_a_server_that_refuses_is_logged_once(
    store: Store, restricted: Callable[..., Store], caplog: pytest.LogCaptureFixture
) -> None:
    managed = restricted("bgrewriteaof", "info")
    with caplog.at_level(logging.WARNING, "chat.store.operation.erasure"):
        for _ in range(3):
            store.run(sessions.erase(begin_conversation(store)))
            erase(managed)

    assert len(caplog.messages) == 1
    assert "refuses to rewrite" in caplog.messages[0]
    assert store.run(erasure.load()).outcome is Outcome.REFUSED


def test_a_server_without_info_still_rewrites(
    site: Stack, store: Store, restricted: Callable[..., Store]
) -> None:
    store.run(sessions.erase(begin_conversation(store)))
    before = rewrites(store)
    erase(restricted("info"))
    assert rewrites(store) == before + 1
