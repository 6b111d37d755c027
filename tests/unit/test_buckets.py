"""Keys on a Redis Cluster: all that a command touches are in one slot."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from chat.schemas import session_id
from chat.store import branches, leases, operators, ratings, replication, sessions, shares
from chat.store.command import Command
from chat.store.keys import session_of
from chat.store.operation import cluster, erasure, inspection, statistics, transfer
from chat.store.operation.cluster import Swept
from chat.store.operation.erasure import Outcome
from chat.store.operation.transfer import Exported
from chat.store.queue import positions
from chat.store.redis_cluster.buckets import (
    BUCKETS,
    address_check,
    address_release,
    bucket_of,
    in_all_buckets,
    in_own_bucket,
    tags,
)
from chat.store.renewals import OpenSocket, renewals
from chat.store.scripts import LUA
from chat.store.shares import ShareLimits
from tests.component.conftest import LIMITS, new_reply

SESSION = session_id(str(uuid4()))
SHARE = shares.share_id(shares.new_secret(SESSION))
ID = uuid4()
AT = "192.0.2.1"
SHARE_LIMITS = ShareLimits(per_session=1, per_minute=1, bytes=1)
COMMANDS: tuple[Command[Any], ...] = (
    branches.choose(SESSION, ID, ID, address=AT, limits=LIMITS),
    branches.find(SESSION, ID),
    cluster.claim_waiting(),
    cluster.check_writable(),
    cluster.find_slot("worker"),
    cluster.health_probe_done("nonce"),
    cluster.heartbeat("worker", free=1),
    cluster.load(),
    cluster.record_health_probe("nonce"),
    cluster.record_queue(Swept((), 1, 1, None)),
    cluster.sweep(1),
    erasure.claim_rewrite("run", interval_s=1),
    erasure.load(),
    erasure.record_rewrite(Outcome.COMPLETE),
    inspection.busy_sessions(),
    inspection.document_fields(SESSION, {}),
    inspection.dump(SESSION),
    inspection.inspect(SESSION),
    inspection.requeue(SESSION, ttl_s=1),
    inspection.summary(SESSION),
    leases.commit(SESSION, "lease", new_reply(ID), ttl_s=1),
    leases.progress(SESSION, "lease", ID),
    leases.release(SESSION, "lease"),
    leases.take(SESSION, "lease", ID, history=1),
    operators.end_claim(SESSION),
    operators.ended_claims(),
    operators.join(SESSION, "lease", "Ada", "ada"),
    operators.leave(SESSION, "lease"),
    operators.renew_claim(SESSION, "lease", is_active=True, idle_s=1),
    operators.request(SESSION, wanted=True),
    operators.requests(),
    operators.say(SESSION, "lease", ID, "hello", name="Ada", user="ada", limits=LIMITS),
    operators.stay_on_duty("socket"),
    ratings.rate(SESSION, ID, "up", address=AT, limits=LIMITS),
    *replication.scripts(sessions.load(SESSION)),
    sessions.accept(SESSION, ID, "hello", address=AT, limits=LIMITS),
    sessions.create(SESSION, "Ada", address=AT, limits=LIMITS),
    sessions.erase(SESSION),
    sessions.extend(SESSION, 1),
    sessions.regenerate(SESSION, ID, address=AT, limits=LIMITS),
    sessions.register_socket(SESSION, "socket", address=AT, limits=LIMITS),
    sessions.stop(SESSION, ID, ttl_s=1),
    sessions.unregister_socket(SESSION, "socket", address=AT),
    *(command for _, command in positions([SESSION], BUCKETS)),
    *(command for _, command in renewals([OpenSocket(SESSION, "socket", AT)], BUCKETS)),
    shares.create(
        SESSION, SHARE, ["é"], messages=1, is_named=True, ttl_s=1, address=AT, limits=SHARE_LIMITS
    ),
    shares.load_all(SESSION),
    shares.load_part(SHARE),
    shares.revoke(SESSION, SHARE),
    statistics.count_event("loading"),
    statistics.load_minutes(1),
    transfer.export(SESSION),
    transfer.store_exported(SESSION, Exported((), 0)),
)


def placed(command: Command[Any]) -> Iterator[Command[Any]]:
    """Yield what runs on a cluster for a command."""
    if command.merge:
        yield from in_all_buckets(command)
        return
    yield in_own_bucket(command)
    if check := address_check(command):
        yield check
    if release := address_release(command):
        yield release


def test_every_script_is_among_the_commands() -> None:
    scripts = {script.stem for script in LUA.glob("*.lua")} - {"prelude"}
    assert {part.script for command in COMMANDS for part in placed(command)} == scripts


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.script)
def test_the_keys_of_a_command_are_in_one_slot(command: Command[Any]) -> None:
    for part in placed(command):
        # Scripts append to some of these names, and put ids into others, after the hash tag.
        keys = [key.replace("%s", SESSION) for key in part.keys.values()]
        tags_of = {re.findall(r"{(.+?)}", key)[0] for key in keys}
        assert len(tags_of) == 1
        assert len({key_slot(key.encode()) for key in keys}) == 1
        assert all(key.count("{") == 1 for key in keys)


def test_a_command_of_the_deployment_runs_once_in_each_slot_of_a_bucket() -> None:
    slots = {key_slot(each.keys["due"].encode()) for each in in_all_buckets(cluster.sweep(1))}
    assert len(slots) == BUCKETS


def test_the_slots_of_the_buckets_are_spread_evenly_and_never_change() -> None:
    size = REDIS_CLUSTER_HASH_SLOTS // BUCKETS
    assert [key_slot(tag.encode()) // size for tag in tags()] == list(range(BUCKETS))
    assert (tags()[0], tags()[1], tags()[63], bucket_of("a session")) == ("10", "18", "40", 53)


def test_sessions_are_spread_evenly_over_the_buckets() -> None:
    counts = [0] * BUCKETS
    for _ in range(100 * BUCKETS):
        counts[bucket_of(session_id(str(uuid4())))] += 1
    assert all(50 < count < 160 for count in counts)


def test_a_share_is_in_the_bucket_of_its_session() -> None:
    assert bucket_of(SHARE) == bucket_of(SESSION)
    snapshot = in_own_bucket(shares.load_part(SHARE)).keys["snapshot"]
    assert snapshot == in_own_bucket(sessions.load(SESSION)).keys["snapshot"] % SHARE


def test_names_on_a_cluster_contain_the_tag_and_the_session() -> None:
    keys = in_own_bucket(sessions.load(SESSION)).keys
    tag = tags()[bucket_of(SESSION)]
    assert keys["document"] == f"chat:{{{tag}}}:{SESSION}:document"
    assert keys["due"] == f"chat:due:{{{tag}}}"
    assert session_of(keys["document"]) == session_of(sessions.load(SESSION).keys["document"])


def test_an_address_is_counted_in_its_own_slot() -> None:
    one, other = (
        address_check(sessions.accept(session_id(token), ID, "é", address=AT, limits=LIMITS))
        for token in "ab"
    )
    assert one is not None
    assert other is not None
    assert one.keys == other.keys
    assert one.arguments == other.arguments
    limits = (LIMITS.messages_per_minute_per_ip, LIMITS.bytes_per_minute_per_ip)
    body = sessions.accept(SESSION, ID, "é", address=AT, limits=LIMITS).arguments["body"]
    assert tuple(one.arguments.values()) == (*limits, 1, len(str(body).encode()))


def test_scripts_use_only_the_names_of_their_keys() -> None:
    """A key that a script builds is not renamed on a cluster."""
    for script in Path(LUA).glob("*.lua"):
        assert "'chat:" not in script.read_text(), script.name
