"""The commands of sockets and the HTTP API on a real Redis: each is atomic."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chat.errors import (
    RateLimited,
    SessionBusy,
    SessionUnknown,
    TooManySockets,
)
from chat.schemas import session_id
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.command import Command
from chat.store.sessions import END, Page, PageEnd
from tests.component.conftest import (
    LIMITS,
    create_session,
    due_at_ms,
    new_reply,
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
    first = store.run(sessions.accept(session, message, "first", limits=LIMITS))
    again = store.run(sessions.accept(session, message, "other", limits=LIMITS))

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

    assert store.run(sessions.accept(session, first.id, "", limits=LIMITS)).message == first
    with pytest.raises(SessionBusy):
        send_message(store, session)


def test_a_rejected_message_changes_nothing(store: Store, session: str) -> None:
    slow = replace(LIMITS, messages_per_minute=1)
    store.run(sessions.accept(session, uuid4(), "a", limits=slow))
    before = store.run(sessions.load(session))

    with pytest.raises(RateLimited) as rejected:
        store.run(sessions.accept(session, uuid4(), "b", limits=slow))

    assert 1 <= rejected.value.retry_after_s <= 60
    after = store.run(sessions.load(session))
    assert after.remaining_s == pytest.approx(before.remaining_s, abs=5)
    elapsed = {"remaining_s": after.remaining_s, "queue": after.queue}
    assert after == before.model_copy(update=elapsed)


def test_commands_on_an_unknown_session_raise(store: Store) -> None:
    new = new_reply(uuid4())
    commands: tuple[Command[Any], ...] = (
        sessions.accept(UNKNOWN, uuid4(), "a", limits=LIMITS),
        sessions.load(UNKNOWN),
        sessions.stop(UNKNOWN, uuid4(), ttl_s=60),
        sessions.regenerate(UNKNOWN, uuid4(), limits=LIMITS),
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
    store.run(sessions.accept(session, uuid4(), "a", limits=short))
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


def test_a_socket_heartbeat_returns_the_last_seq(store: Store, session: str) -> None:
    register = sessions.register_socket(session, "a", address="x", limits=LIMITS)
    assert store.run(register) == 0
    send_message(store, session)
    assert store.run(register) == 1

    store.run(sessions.erase(session))
    with pytest.raises(SessionUnknown):
        store.run(register)


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
