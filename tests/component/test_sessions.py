"""The commands of sockets and the HTTP API on a real Redis: each is atomic."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chat.errors import (
    RateLimited,
    SessionBusy,
    SessionFull,
    SessionUnknown,
    TooManySockets,
)
from chat.schemas import session_id
from chat.store import leases, renewals, sessions
from chat.store.client import Store
from chat.store.command import Command
from chat.store.keys import creation_keys, socket_keys
from chat.store.renewals import OpenSocket
from chat.store.sessions import END, Limits, Page, PageEnd
from chat.store.timing import SOCKET_TIMEOUT_MS
from tests.component.conftest import (
    LIMITS,
    create_session,
    due_at_ms,
    new_reply,
    renew_socket,
    send_message,
    store_reply,
    take_message,
)

UNKNOWN = "0" * 32


def keys_of(store: Store, session: str) -> set[str]:
    return {str(key) for key in store.redis.scan_iter(f"chat:{{{session}}}:*")}


def test_messages_are_numbered_from_one_without_gaps(store: Store, session: str) -> None:
    sent = [send_message(store, session, text) for text in ("a", "b")]
    sent.append(store_reply(store, session))

    loaded = store.run(sessions.load(session))
    assert [message.seq for message in sent] == [1, 2, 3]
    assert list(loaded.messages) == sent
    assert loaded.last_seq == 3


@pytest.mark.parametrize(
    "text",
    ["hello", '"],"}', "\\", "\x00\x1f", "😀 é \u2028", "Human: x\nBot: y", "$..*", "</script>"],
)
def test_any_text_is_stored_verbatim(store: Store, session: str, text: str) -> None:
    send_message(store, session, text)
    store_reply(store, session, text)

    assert [message.msg for message in store.run(sessions.load(session)).messages] == [text, text]


def test_a_repeated_id_is_the_same_message(store: Store, session: str) -> None:
    message = uuid4()
    first = store.run(sessions.accept(session, message, "first", address="test", limits=LIMITS))
    again = store.run(sessions.accept(session, message, "other", address="test", limits=LIMITS))

    assert first.new
    assert not again.new
    assert again.message == first.message
    assert store.run(sessions.load(session)).pending == (message,)


def test_a_resent_message_is_returned_even_if_the_mailbox_is_full(
    store: Store, session: str
) -> None:
    first = send_message(store, session)
    send_message(store, session)
    send_message(store, session)

    assert (
        store.run(sessions.accept(session, first.id, "", address="test", limits=LIMITS)).message
        == first
    )
    with pytest.raises(SessionBusy):
        send_message(store, session)


def test_a_rejected_message_changes_nothing(store: Store, session: str) -> None:
    slow = replace(LIMITS, messages_per_minute=1)
    store.run(sessions.accept(session, uuid4(), "a", address="test", limits=slow))
    before = store.run(sessions.load(session))

    with pytest.raises(RateLimited) as rejected:
        store.run(sessions.accept(session, uuid4(), "b", address="test", limits=slow))

    assert 1 <= rejected.value.retry_after_s <= 60
    after = store.run(sessions.load(session))
    assert after.remaining_s == pytest.approx(before.remaining_s, abs=5)
    elapsed = {"remaining_s": after.remaining_s, "queue": after.queue}
    assert after == before.model_copy(update=elapsed)


def test_commands_on_an_unknown_session_raise(store: Store) -> None:
    new = new_reply(uuid4())
    commands: tuple[Command[Any], ...] = (
        sessions.accept(UNKNOWN, uuid4(), "a", address="test", limits=LIMITS),
        sessions.load(UNKNOWN),
        sessions.stop(UNKNOWN, uuid4(), ttl_s=60),
        sessions.regenerate(UNKNOWN, uuid4(), address="test", limits=LIMITS),
        sessions.extend(UNKNOWN, 60),
        leases.commit(UNKNOWN, "lease-a", new, ttl_s=60),
    )
    for command in commands:
        with pytest.raises(SessionUnknown):
            store.run(command)
    assert store.run(leases.take(UNKNOWN, "lease-a", uuid4(), history=4)) is None
    assert store.run(sessions.erase(UNKNOWN)) is False
    assert keys_of(store, UNKNOWN) == set()


def test_an_address_that_creates_too_many_sessions_is_rate_limited(store: Store) -> None:
    address = str(uuid4())
    limits = replace(LIMITS, tokens_per_minute_per_ip=2)
    for _ in range(2):
        store.run(sessions.create(uuid4().hex, "Ada", address=address, limits=limits))

    with pytest.raises(RateLimited):
        store.run(sessions.create(uuid4().hex, "Ada", address=address, limits=limits))


def test_all_keys_of_a_session_expire_together(store: Store, session: str) -> None:
    send_message(store, session)
    send_message(store, session)
    store_reply(store, session)
    taken = take_message(store, session)
    store.run(leases.progress(session, "lease-a", taken.reply, 0, "x"))

    names = ("document", "ids", "mailbox", "work", "partial")
    expiry_times = {store.redis.pexpiretime(f"chat:{{{session}}}:{name}") for name in names}
    assert len(expiry_times) == 1
    assert min(expiry_times) > 0
    assert all(store.redis.pttl(key) > 0 for key in keys_of(store, session))


def test_every_message_and_reply_restarts_the_time_to_live(store: Store, session: str) -> None:
    short = replace(LIMITS, ttl_s=30)
    store.run(sessions.accept(session, uuid4(), "a", address="test", limits=short))
    assert store.run(sessions.load(session)).remaining_s == pytest.approx(30, abs=5)

    store_reply(store, session)
    assert store.run(sessions.load(session)).remaining_s == pytest.approx(600, abs=5)


def test_a_client_ahead_of_the_document_gets_the_whole_history(store: Store, session: str) -> None:
    send_message(store, session)

    ahead = store.run(sessions.load(session, after=5))

    assert not ahead.recovered
    assert len(ahead.messages) == 1
    assert store.run(sessions.load(session, after=1)).recovered


def test_a_page_is_limited_in_messages_and_bytes_but_has_at_least_one(
    store: Store, session: str
) -> None:
    texts = ["a" * 3000, *("short" for _ in range(5))]
    for text in texts:
        send_message(store, session, text)
        store_reply(store, session)

    def seqs(after: int = 0, before: int = END, **limits: Any) -> tuple[list[int], bool]:
        page = store.run(sessions.load(session, after, before=before, page=Page(**limits)))
        return [message.seq for message in page.messages], page.is_truncated

    assert seqs() == (list(range(1, 13)), False)
    assert seqs(messages=4) == ([9, 10, 11, 12], True)
    assert seqs(messages=4, end=PageEnd.OLDEST) == ([1, 2, 3, 4], True)
    assert seqs(after=8, messages=4) == ([9, 10, 11, 12], False)
    assert seqs(before=3, messages=4) == ([1, 2], False)
    assert seqs(before=3, bytes=100) == ([2], True)
    assert seqs(before=2, bytes=100) == ([1], False), "a message above the limit is still sent"
    assert seqs(before=10**30, messages=1) == ([12], True)
    assert seqs(messages=0) == ([], True)


def test_sockets_are_limited_by_session_and_address(store: Store, session: str) -> None:
    address = str(uuid4())

    def register(session: str, socket: str) -> None:
        store.run(sessions.register_socket(session, socket, address=address, limits=LIMITS))

    register(session, "a")
    register(session, "a")
    register(session, "b")
    with pytest.raises(TooManySockets):
        register(session, "c")
    store.run(sessions.unregister_socket(session, "a", address=address))
    register(session, "c")

    other = create_session(store)
    register(other, "d")
    with pytest.raises(TooManySockets):
        register(other, "e")


def test_a_renewal_returns_the_end_of_the_document(store: Store, session: str) -> None:
    assert renew_socket(store, session).last_seq == 0
    send_message(store, session)
    state, loaded = renew_socket(store, session), store.run(sessions.load(session))
    assert (state.last_seq, state.expires_at) == (1, loaded.expires_at)
    assert state.remaining_s == pytest.approx(loaded.remaining_s, abs=5)

    store.run(sessions.erase(session))
    with pytest.raises(SessionUnknown):
        renew_socket(store, session)


def test_many_sockets_are_renewed_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewals, "SOCKETS_PER_COMMAND", 2)
    several = [create_session(store) for _ in range(5)]
    addresses = [f"address {number % 2} of {several[0]}" for number in range(5)]
    sockets = [
        OpenSocket(session, session, address)
        for session, address in zip(several, addresses, strict=True)
    ]
    send_message(store, several[1])
    store.run(sessions.erase(several[2]))

    commands = renewals.renewals(sockets, store.buckets)
    found: dict[int, Any] = {}
    for numbers, command in commands:
        states: tuple[Any, ...] = store.run(command)
        found |= dict(zip(numbers, states, strict=True))

    assert len(commands) >= 3
    assert isinstance(found.pop(2), SessionUnknown)
    assert {number: state.last_seq for number, state in found.items()} == {0: 0, 1: 1, 3: 0, 4: 0}
    for number in found:
        keys, name = socket_keys(several[number], addresses[number]), sockets[number].name
        for key in ("sockets", "address_sockets", "all_sockets"):
            assert store.redis.zscore(keys[key], name), key
        assert 0 < store.redis.pttl(keys["sockets"]) <= SOCKET_TIMEOUT_MS


def test_erasing_deletes_every_key(store: Store, session: str) -> None:
    send_message(store, session)
    take_message(store, session)
    store.run(sessions.register_socket(session, "a", address="x", limits=LIMITS))

    assert store.run(sessions.erase(session)) is True

    assert keys_of(store, session) == set()
    assert due_at_ms(store, session) is None


def test_tokens_are_not_stored_in_redis(store: Store) -> None:
    token = str(uuid4())
    session = session_id(token)
    store.run(sessions.create(session, "Ada", address="x", limits=LIMITS))

    dump = [str(key) for key in store.redis.scan_iter("*")]
    dump.append(json.dumps(store.redis.json().get(f"chat:{{{session}}}:document")))
    assert token not in " ".join(dump)


def test_an_address_may_send_so_many_messages_in_all_its_sessions(store: Store) -> None:
    limits = replace(LIMITS, messages_per_minute_per_ip=2)
    address = f"address of {uuid4()}"

    def send() -> None:
        session = create_session(store)
        store.run(sessions.accept(session, uuid4(), "a", address=address, limits=limits))

    send()
    send()
    with pytest.raises(RateLimited) as refused:
        send()
    assert refused.value.retry_after_s == 30


def test_an_address_may_send_so_many_bytes_and_a_refused_message_counts_nowhere(
    store: Store,
) -> None:
    limits = replace(LIMITS, messages_per_minute=2, bytes_per_minute_per_ip=10_000)
    address = f"address of {uuid4()}"
    session, other = create_session(store), create_session(store)

    def send(session: str, chars: int) -> None:
        text = "a" * chars
        store.run(sessions.accept(session, uuid4(), text, address=address, limits=limits))

    send(session, 9_000)
    for _ in range(5):
        with pytest.raises(RateLimited):
            send(other, 9_000)
    send(other, 10)


def test_a_full_session_takes_no_message_but_gets_the_reply_to_the_last_one(store: Store) -> None:
    for limits in (replace(LIMITS, session_messages=3), replace(LIMITS, session_bytes=1_000)):
        session = create_session(store)

        def send(text: str, session: str = session, limits: Limits = limits) -> None:
            store.run(sessions.accept(session, uuid4(), text, address="a", limits=limits))

        send("a" * 400)
        store_reply(store, session)
        send("c" * 100)
        reply = store_reply(store, session)
        with pytest.raises(SessionFull):
            send("d")
        with pytest.raises(SessionFull):
            store.run(
                sessions.regenerate(session, reply.reply_to, address="a", limits=limits)  # type: ignore[arg-type]
            )


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_an_ipv6_network_counts_as_one_address(
    store: Store, address: str, other: str, *, same: bool
) -> None:
    limits = replace(LIMITS, tokens_per_minute_per_ip=1)
    store.redis.delete(*(creation_keys("", each)["rate"] for each in (address, other)))

    def create(address: str) -> None:
        store.run(sessions.create(uuid4().hex, "Ada", address=address, limits=limits))

    create(address)
    if same:
        with pytest.raises(RateLimited):
            create(other)
    else:
        create(other)
