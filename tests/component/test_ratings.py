"""A rating is stored with its message, once, can be changed and revoked, and is bounded."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from chat.errors import MessageInvalid, RateLimited, SessionFull, SessionUnknown
from chat.schemas import Failure, Rating, StoredMessage
from chat.store import branches, leases, ratings, sessions
from chat.store.client import Store
from chat.store.operation.inspection import document_fields
from chat.store.operation.statistics import load_minutes
from chat.store.ratings import StoredRating
from chat.store.sessions import Limits
from tests.component.conftest import (
    LIMITS,
    new_reply,
    send_message,
    store_reply,
    take_message,
)


@pytest.fixture
def reply(store: Store, session: str) -> StoredMessage:
    send_message(store, session)
    return store_reply(store, session)


def rate(
    store: Store,
    session: str,
    reply: UUID,
    rating: Rating | None,
    comment: str = "",
    limits: Limits = LIMITS,
) -> StoredRating:
    return store.run(ratings.rate(session, reply, rating, comment, address="test", limits=limits))


def stored(store: Store, session: str) -> StoredMessage:
    return store.run(sessions.load(session)).messages[-1]


def figure(store: Store, name: str) -> int:
    return sum(minute.get(name, 0) for minute in store.run(load_minutes(3)).figures)


def test_the_document_lists_the_ratings_that_are_given(
    store: Store, session: str, reply: StoredMessage
) -> None:
    send_message(store, session)
    other = store_reply(store, session)
    listed: list[list[str]] = []
    rated: tuple[tuple[StoredMessage, Rating | None], ...] = (
        *((reply, "up"), (other, "up"), (reply, None)),
        *((other, "down"), (other, None)),
    )
    paths = {"id": "$.id", "ratings": "$.ratings[*]"}
    for message, rating in rated:
        rate(store, session, message.id, rating)
        found = store.run(document_fields(session, paths))
        assert found
        listed.append(found["ratings"])
    assert listed == [["up"], ["up"], ["up"], ["down"], []]


def test_a_rating_is_stored_with_its_message_and_can_be_changed_and_revoked(
    store: Store, session: str, reply: StoredMessage
) -> None:
    first = rate(store, session, reply.id, "down", "too “short” \\ 😀")
    assert stored(store, session) == reply.model_copy(
        update={"rating": "down", "comment": "too “short” \\ 😀"}
    )
    second = rate(store, session, reply.id, "up")
    assert (stored(store, session).rating, stored(store, session).comment) == ("up", None)
    third = rate(store, session, reply.id, None, "ignored")
    assert stored(store, session) == reply
    assert first.previous == 0
    assert (second.previous, third.previous) == (first.revision, second.revision)
    assert first.revision < second.revision < third.revision


def test_the_same_rating_again_changes_nothing(
    store: Store, session: str, reply: StoredMessage
) -> None:
    first = rate(store, session, reply.id, "up", "yes")
    again = rate(store, session, reply.id, "up", "yes", replace(LIMITS, messages_per_minute=1))
    assert (first.new, again.new) == (True, False)
    assert again.revision == first.revision
    rate(store, session, reply.id, None)
    assert not rate(store, session, reply.id, None).new


def test_what_cannot_be_rated_is_refused(store: Store, session: str) -> None:
    human = send_message(store, session)
    taken = take_message(store, session)
    error = Failure(code="model.timeout", detail="", retryable=True)  # type: ignore[arg-type]
    failed = new_reply(human.id, finish_reason=None, error=error)
    store.run(leases.commit(session, taken.lease, failed, ttl_s=600))
    for id in (human.id, failed.id, uuid4()):
        with pytest.raises(MessageInvalid):
            rate(store, session, id, "up")
    with pytest.raises(SessionUnknown):
        rate(store, "0" * 32, failed.id, "up")


def test_ratings_and_their_comments_are_limited(
    store: Store, session: str, reply: StoredMessage
) -> None:
    full = replace(LIMITS, session_bytes=10, messages_per_minute=2)
    with pytest.raises(SessionFull):
        rate(store, session, reply.id, "up", "long", full)
    rate(store, session, reply.id, "up", limits=full)
    rate(store, session, reply.id, "down", limits=full)
    with pytest.raises(RateLimited):
        rate(store, session, reply.id, None, limits=full)
    send_message(store, session)  # messages have a rate of their own


def test_comments_count_for_the_size_of_the_session(
    store: Store, session: str, reply: StoredMessage
) -> None:
    def size() -> int:
        return int(str(store.redis.hget(f"chat:{{{session}}}:ids", "bytes")))

    before = size()
    rate(store, session, reply.id, "up", "12345")
    assert size() == before + 5
    rate(store, session, reply.id, None)
    assert size() == before


def test_a_changed_rating_counts_once(store: Store, session: str, reply: StoredMessage) -> None:
    before = figure(store, "rated:up"), figure(store, "rated:down")
    rate(store, session, reply.id, "down")
    rate(store, session, reply.id, "up")
    rate(store, session, reply.id, "up", "with a comment")
    assert (figure(store, "rated:up"), figure(store, "rated:down")) == (before[0] + 1, before[1])


def test_ratings_end_with_their_session(store: Store, session: str, reply: StoredMessage) -> None:
    rate(store, session, reply.id, "up", "text")
    prefix = f"chat:{{{session}}}:"
    expiries = [store.redis.pexpiretime(f"{prefix}{name}") for name in ("document", "ratings")]
    assert expiries[0] == expiries[1]
    store.run(sessions.erase(session))
    assert list(store.redis.scan_iter(f"{prefix}*")) == []


def test_a_client_is_told_the_ratings_that_changed_after_those_it_knows(
    store: Store, session: str, reply: StoredMessage
) -> None:
    first = rate(store, session, reply.id, "up")
    send_message(store, session)
    other = store_reply(store, session)
    second = rate(store, session, other.id, "down", "why")
    third = rate(store, session, reply.id, None)

    known = store.run(sessions.load(session, 4, rated=first.revision))
    assert known.ratings_revision == third.revision
    assert [(each.id, each.rating, each.comment, each.revision) for each in known.ratings] == [
        (other.id, "down", "why", second.revision),
        (reply.id, None, None, third.revision),
    ]
    newer = store.run(sessions.load(session, 2, rated=first.revision))
    assert [each.id for each in newer.ratings] == [reply.id], "the other is in its message"
    assert newer.messages[-1].rating == "down"
    assert store.run(sessions.load(session, 4, rated=third.revision)).ratings == ()
    lost = store.run(sessions.load(session, 4, rated=third.revision + 1))
    assert (lost.recovered, len(lost.messages)) == (False, 4)
    assert store.run(sessions.load(session, 4)).ratings == (), "nobody asked"


def test_a_client_that_missed_too_many_ratings_gets_the_messages(
    store: Store, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_CHANGED_RATINGS", 2)
    for _ in range(3):
        send_message(store, session)
        rate(store, session, store_reply(store, session).id, "up")
    loaded = store.run(sessions.load(session, 6, rated=0))
    assert (loaded.is_restarted, loaded.recovered, len(loaded.messages)) == (True, True, 6)
    assert loaded.ratings == ()


def test_a_copy_of_a_rated_reply_has_no_rating(
    store: Store, session: str, reply: StoredMessage
) -> None:
    rate(store, session, reply.id, "up", 'either/or “both” "quoted" \\')
    assert reply.reply_to
    store.run(sessions.regenerate(session, reply.reply_to, address="test", limits=LIMITS))
    store_reply(store, session, "another")
    store.run(branches.choose(session, uuid4(), reply.id, address="test", limits=LIMITS))
    copy = stored(store, session)
    assert (copy.version_of, copy.rating, copy.comment) == (reply.id, None, None)
    original = store.run(sessions.load(session)).messages[1]
    assert (original.id, original.rating) == (reply.id, "up")
