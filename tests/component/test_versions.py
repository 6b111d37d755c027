"""Editing, continuing and choosing versions on a real Redis: the document after each of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from chat.errors import MessageInvalid, ReplyInProgress, SessionFull, SessionUnknown
from chat.schemas import StoredMessage
from chat.store import branches, leases, sessions
from chat.store.client import Store
from chat.store.sessions import Limits
from tests.component.conftest import LIMITS, new_reply, send_message, store_reply, take_message

ERROR = {"code": "model.timeout", "detail": "Too late.", "retryable": True}


def messages_of(store: Store, session: str) -> tuple[StoredMessage, ...]:
    return store.run(sessions.load(session)).messages


def current(store: Store, session: str) -> list[str]:
    """Return the texts of the messages that are not replaced."""
    return [message.msg for message in messages_of(store, session) if not message.replaced_by]


def ask(store: Store, session: str, *texts: str) -> list[StoredMessage]:
    """Send messages and store the reply `TEXT!` to each; return both of each."""
    stored = []
    for text in texts:
        stored += [send_message(store, session, text), store_reply(store, session, f"{text}!")]
    return stored


def edit(store: Store, session: str, replaced: UUID, text: str, id_: UUID | None = None) -> Any:
    command = sessions.accept(
        session, id_ or uuid4(), text, address="test", limits=LIMITS, replaces=replaced
    )
    return store.run(command)


def edit_and_answer(
    store: Store, session: str, replaced: UUID, text: str
) -> tuple[StoredMessage, StoredMessage]:
    return edit(store, session, replaced, text).message, store_reply(store, session, f"{text}!")


def regenerate(store: Store, session: str, message: UUID, **options: Any) -> None:
    store.run(sessions.regenerate(session, message, address="test", limits=LIMITS, **options))


def choose(
    store: Store,
    session: str,
    version: UUID,
    request: UUID | None = None,
    limits: Limits = LIMITS,
) -> branches.Chosen:
    request = request or uuid4()
    return store.run(branches.choose(session, request, version, address="test", limits=limits))


def links(messages: Sequence[StoredMessage]) -> list[tuple[Any, ...]]:
    """Return how messages refer to each other, by their seq."""
    seqs: dict[UUID | None, int | None] = {message.id: message.seq for message in messages}
    seqs[None] = None
    return [
        (
            message.seq,
            message.msg,
            seqs[message.reply_to],
            seqs[message.replaces],
            seqs[message.replaced_by],
            seqs[message.version_of],
        )
        for message in messages
    ]


def test_an_edit_replaces_the_question_and_everything_after_it(store: Store, session: str) -> None:
    ask(store, session, "a")
    question = ask(store, session, "b", "c")[0]

    edited = edit(store, session, question.id, "b2")

    assert edited.new
    assert edited.message.replaces == question.id
    assert current(store, session) == ["a", "a!", "b2"]
    replaced = messages_of(store, session)[2:6]
    assert {message.replaced_by for message in replaced} == {edited.message.id}
    taken = take_message(store, session)
    assert taken.message == edited.message


def test_a_repeated_edit_is_the_same_message(store: Store, session: str) -> None:
    question, _ = ask(store, session, "a")
    id_ = uuid4()
    first = edit(store, session, question.id, "b", id_)
    again = edit(store, session, question.id, "b", id_)

    assert (again.new, again.message) == (False, first.message)
    assert current(store, session) == ["b"]


def test_a_message_that_is_absent_or_replaced_cannot_be_edited(store: Store, session: str) -> None:
    question, reply = ask(store, session, "a")
    edit_and_answer(store, session, question.id, "b")
    before = messages_of(store, session)

    for replaced in (question.id, reply.id, uuid4()):
        with pytest.raises(MessageInvalid):
            edit(store, session, replaced, "c")
    assert messages_of(store, session) == before


def test_nothing_that_waits_or_is_being_answered_is_replaced(store: Store, session: str) -> None:
    first, _, second, _ = ask(store, session, "a", "b")
    last, old = ask(store, session, "c")
    regenerate(store, session, last.id)
    store_reply(store, session, "c?")
    waiting = send_message(store, session, "d")
    for is_taken in (False, True):
        if is_taken:
            take_message(store, session)
        for question in (first, second, last, waiting):
            with pytest.raises(ReplyInProgress):
                edit(store, session, question.id, "e")
        with pytest.raises(ReplyInProgress):
            choose(store, session, old.id)
    assert current(store, session) == ["a", "a!", "b", "b!", "c", "c?", "d"]


def test_a_reply_to_an_earlier_question_is_not_part_of_the_branch(
    store: Store, session: str
) -> None:
    first = send_message(store, session, "a")
    taken = take_message(store, session)
    failed = new_reply(first.id, "", finish_reason=None, error=ERROR)
    store.run(leases.commit(session, taken.lease, failed, ttl_s=600))
    second, _ = ask(store, session, "b")
    regenerate(store, session, first.id)
    edited = edit(store, session, second.id, "b2").message
    store_reply(store, session, "a, late")
    store_reply(store, session, "b2!")

    edit_and_answer(store, session, edited.id, "b3")

    assert current(store, session) == ["a", "a, late", "b3", "b3!"]


def test_a_chosen_reply_is_a_copy_in_place_of_the_current_one(store: Store, session: str) -> None:
    question, old = ask(store, session, "a")
    regenerate(store, session, question.id)
    new = store_reply(store, session, "other")
    request = uuid4()

    chosen = choose(store, session, old.id, request)

    assert chosen.new
    copy = chosen.message
    assert copy.id == uuid5(request, str(old.id))
    changes = {
        "id": copy.id,
        "seq": 4,
        "timestamp": copy.timestamp,
        "replaces": new.id,
        "version_of": old.id,
    }
    assert copy == old.model_copy(update=changes)
    assert current(store, session) == ["a", "a!"]
    regenerate(store, session, question.id)
    assert store_reply(store, session, "third").replaces == copy.id


def test_choosing_twice_changes_nothing(store: Store, session: str) -> None:
    question, old = ask(store, session, "a")
    regenerate(store, session, question.id)
    store_reply(store, session, "other")
    request = uuid4()
    copy = choose(store, session, old.id, request).message
    after = messages_of(store, session)

    for again in (
        choose(store, session, old.id, request),
        choose(store, session, old.id),
        choose(store, session, copy.id),
    ):
        assert (again.new, again.message) == (False, copy)
    assert messages_of(store, session) == after


def test_a_chosen_question_brings_back_what_followed_it(store: Store, session: str) -> None:
    ask(store, session, "a")
    question = ask(store, session, "b", "c")[0]
    regenerate(store, session, messages_of(store, session)[4].id)
    store_reply(store, session, "c?")
    edited, _ = edit_and_answer(store, session, question.id, "b2")

    first = choose(store, session, question.id).message

    assert current(store, session) == ["a", "a!", "b", "b!", "c", "c?"]
    assert links(messages_of(store, session))[2:] == [
        (3, "b", None, None, 8, None),
        (4, "b!", 3, None, 8, None),
        (5, "c", None, None, 8, None),
        (6, "c!", 5, None, 7, None),
        (7, "c?", 5, 6, 8, None),
        (8, "b2", None, 3, 10, None),
        (9, "b2!", 8, None, 10, None),
        (10, "b", None, 8, None, 3),
        (11, "b!", 10, None, None, 4),
        (12, "c", None, None, None, 5),
        (13, "c?", 12, None, None, 7),
    ]
    assert first.seq == 10
    # The copies are as good as their originals: other versions, edits and replies follow.
    assert choose(store, session, messages_of(store, session)[5].id).message.msg == "c!"
    regenerate(store, session, messages_of(store, session)[11].id)
    store_reply(store, session, "c!!")
    assert choose(store, session, edited.id).message.version_of == edited.id
    assert current(store, session) == ["a", "a!", "b2", "b2!"]
    choose(store, session, first.id)
    assert current(store, session) == ["a", "a!", "b", "b!", "c", "c!!"]
    copies = [message for message in messages_of(store, session) if message.msg == "b"]
    assert {message.version_of for message in copies[1:]} == {question.id}


def test_a_version_of_a_question_that_is_not_current_cannot_be_chosen(
    store: Store, session: str
) -> None:
    first, _, second, reply = ask(store, session, "a", "b")
    edited, _ = edit_and_answer(store, session, second.id, "b2")
    regenerate(store, session, edited.id)
    store_reply(store, session, "b2?")
    edit_and_answer(store, session, first.id, "a2")
    before = messages_of(store, session)

    for version in (second.id, edited.id, reply.id, uuid4()):
        with pytest.raises(MessageInvalid):
            choose(store, session, version)
    assert messages_of(store, session) == before


def test_what_failed_cannot_be_chosen(store: Store, session: str) -> None:
    question = send_message(store, session, "a")
    attempts = []
    for fields in (
        {"finish_reason": None, "error": ERROR},
        {},
        {"finish_reason": "stop_requested"},
    ):
        taken = take_message(store, session)
        new = new_reply(question.id, "part", replaces=taken.replaces, **fields)
        attempts.append(store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message)
        regenerate(store, session, question.id)
    store_reply(store, session, "good")
    stored = messages_of(store, session)[1:]

    assert [message.is_version for message in stored] == [False, True, False, True]
    for failed in (attempts[0], attempts[2]):
        with pytest.raises(MessageInvalid):
            choose(store, session, failed.id)
    assert choose(store, session, attempts[1].id).new


def test_a_session_has_space_for_all_copies_or_none_is_stored(store: Store, session: str) -> None:
    question = ask(store, session, "a", "b")[0]
    edit_and_answer(store, session, question.id, "c")
    before = messages_of(store, session)

    for limits in (replace(LIMITS, session_messages=9), replace(LIMITS, session_bytes=2000)):
        with pytest.raises(SessionFull):
            choose(store, session, question.id, limits=limits)
    assert messages_of(store, session) == before
    assert choose(store, session, question.id, limits=replace(LIMITS, session_messages=10)).new


def test_a_replaced_message_is_found_with_its_branch(store: Store, session: str) -> None:
    question, reply, *_ = ask(store, session, "a", "b")
    edited, other = edit_and_answer(store, session, question.id, "c")

    assert store.run(branches.find(session, question.id)) == branches.Branch(1, 4, edited.id)
    assert store.run(branches.find(session, reply.id)) == branches.Branch(2, 2, edited.id)
    for id_ in (edited.id, other.id, uuid4()):
        with pytest.raises(MessageInvalid):
            store.run(branches.find(session, id_))
    with pytest.raises(SessionUnknown):
        store.run(branches.find("0" * 32, question.id))
    with pytest.raises(SessionUnknown):
        choose(store, "0" * 32, question.id)


def cut_off(store: Store, session: str, text: str = "Once upon a", **fields: Any) -> StoredMessage:
    """Store a reply that ended at the length limit to a new message."""
    taken_id = send_message(store, session, "a story").id
    taken = take_message(store, session)
    new = new_reply(taken_id, text, **{"finish_reason": "length", **fields})
    return store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message


def continue_reply(store: Store, session: str, reply: StoredMessage) -> None:
    assert reply.reply_to
    regenerate(store, session, reply.reply_to, is_continued=True)


@pytest.mark.parametrize("finish_reason", ["stop", "length", "stop_requested"])
def test_a_continuation_replaces_the_reply_it_continues(
    store: Store, session: str, finish_reason: str
) -> None:
    old = cut_off(store, session)
    for _ in range(2):
        continue_reply(store, session, old)
    taken = take_message(store, session)
    assert (taken.continues, taken.replaces) == (old, old.id)

    new = new_reply(
        taken.message.id,
        "Once upon a time",
        replaces=old.id,
        continues=old.id,
        finish_reason=finish_reason,
    )
    stored = store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message

    assert (stored.replaces, stored.continues, stored.replaced_by) == (old.id, old.id, None)
    assert current(store, session) == ["a story", "Once upon a time"]
    assert not store.run(sessions.load(session)).pending


def test_a_continuation_that_failed_keeps_the_reply(store: Store, session: str) -> None:
    old = cut_off(store, session)
    continue_reply(store, session, old)
    taken = take_message(store, session)
    new = new_reply(
        taken.message.id, "Once upon a ti", replaces=old.id, finish_reason=None, error=ERROR
    )
    stored = store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message

    assert (stored.replaces, stored.replaced_by) == (None, old.id)
    assert current(store, session) == ["a story", "Once upon a"]
    continue_reply(store, session, old)
    assert take_message(store, session).continues == old


@pytest.mark.parametrize("added", ["", " time"])
def test_a_continuation_stopped_without_a_worker_keeps_what_it_added(
    store: Store, session: str, added: str
) -> None:
    old = cut_off(store, session)
    continue_reply(store, session, old)
    taken = take_message(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, 0, old.msg + added))
    store.redis.delete(f"chat:{{{session}}}:lease")

    stopped = store.run(sessions.stop(session, taken.message.id, ttl_s=60))

    assert stopped
    assert stopped.message.continues == (old.id if added else None)
    assert stopped.message.replaced_by == (None if added else old.id)
    assert current(store, session) == ["a story", f"Once upon a{added}"]


def test_only_the_last_reply_can_be_continued_if_it_was_cut_off(store: Store, session: str) -> None:
    earlier = cut_off(store, session)
    empty = cut_off(store, session, "", finish_reason="stop_requested")
    complete = ask(store, session, "b")[1]
    for reply in (earlier, empty, complete):
        with pytest.raises(MessageInvalid):
            continue_reply(store, session, reply)
    last = cut_off(store, session, "half", finish_reason="stop_requested")
    continue_reply(store, session, last)
    assert take_message(store, session).continues == last


def test_a_replaced_question_gets_no_other_reply(store: Store, session: str) -> None:
    question = send_message(store, session, "a")
    taken = take_message(store, session)
    failed = new_reply(question.id, "", finish_reason=None, error=ERROR)
    store.run(leases.commit(session, taken.lease, failed, ttl_s=600))
    edit_and_answer(store, session, question.id, "b")

    for is_continued in (False, True):
        with pytest.raises(MessageInvalid):
            regenerate(store, session, question.id, is_continued=is_continued)


def test_a_reply_to_a_question_before_it_was_edited_cannot_be_chosen(
    store: Store, session: str
) -> None:
    question, reply = ask(store, session, "a")
    edit_and_answer(store, session, question.id, "b")

    with pytest.raises(MessageInvalid):
        choose(store, session, reply.id)
    assert current(store, session) == ["b", "b!"]
