"""Shares of sessions in a real Redis: what they hold, who can revoke them, and when they end."""

from dataclasses import replace
from uuid import uuid4

import pytest

from chat.errors import RateLimited, SessionUnknown, StoreFull
from chat.store import sessions, shares
from chat.store.client import Store
from chat.store.shares import (
    Share,
    ShareLimits,
    SharePart,
    ShareTooLarge,
    ShareUnknown,
    TooManyShares,
)
from tests.component.conftest import create_session, send_message, store_reply
from tests.processes import wait_for

SHARE_LIMITS = ShareLimits(per_session=3, per_minute=1_000, bytes=1_000)
LINES = ['{"messages":["one"', ',"two"]}']


def share_session(
    store: Store,
    session: str,
    lines: list[str] = LINES,
    *,
    share: str = "",
    ttl_s: float | None = None,
    address: str = "",
    limits: ShareLimits = SHARE_LIMITS,
) -> Share:
    return store.run(
        shares.create(
            session,
            share or shares.share_id(shares.new_secret(session)),
            lines,
            messages=2,
            is_named=False,
            ttl_s=ttl_s,
            address=address or str(uuid4()),
            limits=limits,
        )
    )


def parts(store: Store, share: str) -> list[str]:
    first = store.run(shares.load_part(share))
    others = range(2, first.parts + 1)
    return [first.text, *(store.run(shares.load_part(share, number)).text for number in others)]


def ids(store: Store, session: str) -> list[str]:
    return [share.id for share in store.run(shares.load_all(session))]


def keys_of_share(store: Store, share: str) -> list[str]:
    return list(store.redis.scan_iter(f"chat:{{{share}}}*", count=10_000))


def is_readable(store: Store, share: str) -> bool:
    try:
        return bool(store.run(shares.load_part(share)))
    except ShareUnknown:
        return False


def test_a_snapshot_is_loaded_part_by_part(store: Store, session: str) -> None:
    share = share_session(store, session)

    assert store.run(shares.load_part(share.id)) == SharePart(session, 2, LINES[0])
    assert parts(store, share.id) == LINES
    assert store.run(shares.load_all(session)) == (share,)
    assert (share.messages, share.bytes) == (2, len("\n".join(LINES)))
    assert share.ends is None
    assert store.run(shares.session_of(share.id)) == session


def test_creating_a_share_again_changes_nothing(store: Store, session: str) -> None:
    share = shares.share_id(shares.new_secret(session))

    first = share_session(store, session, share=share)
    again = share_session(store, session, ["other"], share=share)

    assert again == first
    assert parts(store, share) == LINES


def test_redis_holds_no_secret(store: Store, session: str) -> None:
    secret = shares.new_secret(session)
    share_session(store, session, share=shares.share_id(secret))

    for key in store.redis.scan_iter("chat:*", count=10_000):
        assert secret not in key
        if store.redis.type(key) == "hash":
            assert secret not in str(store.redis.hgetall(key))


@pytest.mark.parametrize("secret", ["", "x", "{}", "A" * 36, "0" * 32, "../../etc", "*" * 36])
def test_what_cannot_be_a_secret_is_refused_without_redis(secret: str) -> None:
    with pytest.raises(ShareUnknown):
        shares.share_id(secret)


def test_secrets_have_128_random_bits() -> None:
    bits = [0] * 128
    for _ in range(200):
        number = int(shares.new_secret("a session").replace("-", ""), 16)
        for bit in range(128):
            bits[bit] += number >> bit & 1
    assert all(50 < count < 150 for count in bits), "no bit is fixed, as it is in a random UUID"


def test_a_share_ends_with_the_deletion_of_its_session(store: Store, session: str) -> None:
    send_message(store, session)
    created = [share_session(store, session), share_session(store, session, ttl_s=60)]

    store.run(sessions.erase(session))

    for share in created:
        assert not is_readable(store, share.id)
        assert keys_of_share(store, share.id) == []
    assert keys_of_share(store, session) == []
    with pytest.raises(SessionUnknown):
        share_session(store, session)
    with pytest.raises(SessionUnknown):
        store.run(shares.load_all(session))


def test_a_share_lives_as_long_as_its_session(store: Store, session: str) -> None:
    share = share_session(store, session)
    fixed = share_session(store, session, ttl_s=700)

    store.run(sessions.extend(session, 3_600))

    later = {each.id: each for each in store.run(shares.load_all(session))}
    document = store.run(sessions.load(session))
    assert later[share.id].expires_at == document.expires_at
    assert later[fixed.id].expires_at == later[fixed.id].ends == fixed.ends
    assert fixed.expires_at < document.expires_at


def test_messages_and_replies_move_the_end_of_a_share(store: Store, session: str) -> None:
    share = share_session(store, session)
    store.run(sessions.extend(session, 5))
    send_message(store, session)
    store_reply(store, session)

    (moved,) = store.run(shares.load_all(session))

    assert moved.id == share.id
    assert moved.expires_at == store.run(sessions.load(session)).expires_at


def test_a_share_never_outlives_its_session(store: Store, session: str) -> None:
    share = share_session(store, session)
    fixed = share_session(store, session, ttl_s=86_400)

    store.run(sessions.extend(session, 0.2))
    document = store.redis.pexpiretime(f"chat:{{{session}}}:document")
    for each in (share, fixed):
        assert store.redis.pexpiretime(f"chat:{{{each.id}}}:snapshot") == document

    wait_for(lambda: not is_readable(store, share.id), "the session to expire", 5)
    assert keys_of_share(store, fixed.id) == keys_of_share(store, session) == []


def test_an_ended_share_makes_room_for_another(store: Store, session: str) -> None:
    limits = replace(SHARE_LIMITS, per_session=1)
    ended = share_session(store, session, ttl_s=0.05, limits=limits)
    with pytest.raises(TooManyShares):
        share_session(store, session, limits=limits)
    wait_for(lambda: not is_readable(store, ended.id), "the share to end", 5)
    assert ids(store, session) == []

    share = share_session(store, session, limits=limits)

    assert ids(store, session) == [share.id]


def test_only_its_own_session_can_revoke_a_share(store: Store, session: str) -> None:
    other = create_session(store)
    share = share_session(store, session)

    with pytest.raises(ShareUnknown):
        store.run(shares.revoke(other, share.id))
    assert is_readable(store, share.id)
    assert ids(store, other) == []

    store.run(shares.revoke(session, share.id))
    assert keys_of_share(store, share.id) == []
    assert ids(store, session) == []
    with pytest.raises(ShareUnknown):
        store.run(shares.revoke(session, share.id))


def test_the_snapshots_of_a_session_are_limited_together(store: Store, session: str) -> None:
    share_session(store, session, ["x" * 600])

    with pytest.raises(ShareTooLarge):
        share_session(store, session, ["x" * 401])
    share_session(store, session, ["x" * 400])


def test_an_address_is_limited_over_all_its_sessions(store: Store) -> None:
    address = str(uuid4())
    limits = replace(SHARE_LIMITS, per_minute=2)
    for _ in range(2):
        share_session(store, create_session(store), ["x"], address=address, limits=limits)
    with pytest.raises(RateLimited):
        share_session(store, create_session(store), ["x"], address=address, limits=limits)

    address = str(uuid4())
    share_session(store, create_session(store), ["x" * 900], address=address)
    with pytest.raises(RateLimited):
        share_session(store, create_session(store), ["x" * 900], address=address)


def test_a_session_is_limited_over_all_addresses(store: Store, session: str) -> None:
    limits = replace(SHARE_LIMITS, per_minute=1)
    store.run(shares.revoke(session, share_session(store, session, limits=limits).id))

    with pytest.raises(RateLimited):
        share_session(store, session, limits=limits)


def test_an_almost_full_redis_stores_no_snapshot(store: Store, session: str) -> None:
    share = share_session(store, session)
    limit = str(store.redis.config_get("maxmemory")["maxmemory"])
    store.redis.config_set("maxmemory", store.redis.info("memory")["used_memory"] + 50_000)
    try:
        with pytest.raises(StoreFull):
            share_session(store, session)
        store.run(shares.revoke(session, share.id))
    finally:
        store.redis.config_set("maxmemory", limit)
