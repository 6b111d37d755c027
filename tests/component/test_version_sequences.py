"""After any sequence of requests, the document is consistent and every client has the same.

One client is there all the time; another one misses most of what happens.
"""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from chat.cli.message_versions import MessageVersions, original
from chat.errors import ChatError
from chat.protocol import Frame, SessionReady
from chat.schemas import Session
from chat.store import branches, leases, operators, ratings, sessions
from chat.store.client import Store
from chat.store.command import NotJoined
from chat.websocket.cursor import Cursor, rated_frames
from tests.client_view import ClientView
from tests.component.conftest import LIMITS, new_reply

STEPS = 40
ERROR = {"code": "model.timeout", "detail": "Too late.", "retryable": True}
OUTCOMES: tuple[dict[str, object], ...] = (
    {"finish_reason": "stop"},
    {"finish_reason": "stop"},
    {"finish_reason": "length"},
    {"finish_reason": "stop_requested"},
    {"finish_reason": None, "error": ERROR},
)
CLAIM = "operator:7 claim"


class SimulatedClient:
    """What one client was sent."""

    def __init__(self, session: Session) -> None:
        self.view, self.cursor = ClientView(), Cursor(session)

    def receive(self, session: Session) -> None:
        """Send the messages that it missed, as a socket does."""
        frames: Sequence[Frame] | None = self.cursor.catch_up(session)
        if frames is None:
            self.cursor = Cursor(session)
            frames = [ready(session), *rated_frames(session.ratings)]
        for frame in frames:
            self.view.apply(frame.model_dump(mode="json"))


class Conversation:
    """A session, random requests to it, and its clients."""

    def __init__(self, store: Store, session: str, seed: int) -> None:
        self.store, self.session, self.chance = store, session, random.Random(seed)
        self.options: Any = {"address": session, "limits": LIMITS}
        self.versions = MessageVersions()
        self.present, self.absent = SimulatedClient(self.load()), SimulatedClient(self.load())
        self.done = 0

    def load(self, client: SimulatedClient | None = None) -> Session:
        """Load the document, or what a client lacks."""
        if client is None:
            return self.store.run(sessions.load(self.session))
        cursor = client.cursor
        command = sessions.load(self.session, cursor.last_seq, rated=cursor.ratings_revision)
        return self.store.run(command)

    def step(self) -> None:
        """Make one random request, or answer one message."""
        requests = [self.send, self.edit, *[self.answer] * 4, self.regenerate]
        requests += [*[self.choose] * 2, *[self.rate] * 2, self.join_or_leave, self.say]
        try:
            self.chance.choice(requests)()
        except (ChatError, NotJoined):
            return
        self.done += 1
        missed = self.load(self.present)
        self.present.receive(missed)
        for message in missed.messages:
            self.versions.add(message.for_client().model_dump(mode="json"))
        if self.chance.random() < 0.2:
            self.absent.receive(self.load(self.absent))

    def send(self, replaces: UUID | None = None) -> None:
        text = uuid4().hex
        command = sessions.accept(self.session, uuid4(), text, replaces=replaces, **self.options)
        self.store.run(command)

    def edit(self) -> None:
        if question := self.pick_question():
            self.send(replaces=question)

    def answer(self) -> None:
        """Answer the oldest message: the operator does it if there is one, else the model."""
        is_operator = self.load().operator is not None
        lease = CLAIM if is_operator else "lease"
        command = leases.take(self.session, lease, uuid4(), history=4, by_operator=is_operator)
        taken = self.store.run(command)
        if not taken:
            return
        assert not taken.message.replaced_by
        outcome = self.chance.choice(OUTCOMES)
        before = taken.continues.msg if taken.continues else ""
        reply = new_reply(
            taken.message.id,
            before + self.chance.choice(("", uuid4().hex)),
            replaces=taken.replaces,
            continues=taken.replaces if before and "error" not in outcome else None,
            source="operator" if is_operator else "bot",
            **outcome,
        )
        self.store.run(leases.commit(self.session, taken.lease, reply, ttl_s=600))

    def regenerate(self) -> None:
        if question := self.pick_question():
            is_continued = self.chance.random() < 0.5
            self.store.run(
                sessions.regenerate(
                    self.session, question, is_continued=is_continued, **self.options
                )
            )

    def choose(self) -> None:
        """Choose one of the versions that a client lists, which is then current."""
        question = self.pick_question()
        list_versions = self.chance.choice((self.versions.of_question, self.versions.of_reply))
        listed = list_versions(str(question)) if question else []
        if not listed:
            return
        version = self.chance.choice(listed)
        command = branches.choose(self.session, uuid4(), UUID(version["id"]), **self.options)
        try:
            chosen = self.store.run(command).message
        except ChatError:
            assert self.load().pending
            raise
        assert str(chosen.original) == original(version) or chosen.id == UUID(version["id"])
        assert chosen.msg == version.get("msg", chosen.msg)
        assert not chosen.replaced_by

    def rate(self) -> None:
        """Rate a reply, or revoke its rating."""
        replies = [UUID(m["id"]) for m in self.versions.current() if m["source"] != "human"]
        if replies:
            rating: Any = self.chance.choice(("up", "down", None))
            reply = self.chance.choice(replies)
            self.store.run(ratings.rate(self.session, reply, rating, uuid4().hex, **self.options))

    def join_or_leave(self) -> None:
        if self.load().operator:
            self.store.run(operators.leave(self.session, CLAIM))
        else:
            self.store.run(operators.join(self.session, CLAIM, "Grace", "grace"))

    def say(self) -> None:
        """Let the operator write although no message waits."""
        command = operators.say(
            self.session, CLAIM, uuid4(), uuid4().hex, name="Grace", user="grace", limits=LIMITS
        )
        self.store.run(command)

    def pick_question(self) -> UUID | None:
        """Return one of the last questions that a client shows."""
        shown = [UUID(m["id"]) for m in self.versions.current() if m["source"] == "human"]
        return self.chance.choice(shown[-3:]) if shown else None

    def check(self) -> None:
        document = self.load()
        stubs = [
            message.for_client().model_dump(mode="json") if message.replaced_by else None
            for message in document.messages
        ]
        for client in (self.present, self.absent):
            client.receive(self.load(client))
            assert not client.view.violations
            shown = [message for _, message in sorted(client.view.messages.items())]
            assert [m if "replaced_by" in m else None for m in shown] == stubs
            assert client.view.rated() == rated(document)
        current = [message for message in document.messages if not message.replaced_by]
        assert [m["id"] for m in self.versions.current()] == [str(m.id) for m in current]
        self.check_replies(document)
        self.check_versions()

    def check_replies(self, document: Session) -> None:
        """Every current question has one current reply or waits for it."""
        current = [message for message in document.messages if not message.replaced_by]
        questions = {message.id for message in current if message.source == "human"}
        answered = [message.reply_to for message in current if message.reply_to]
        assert len(set(answered)) == len(answered)
        assert questions == {*answered, *document.pending}

    def check_versions(self) -> None:
        """Every current message is one of its versions; no version belongs to two of them."""
        questions = [m["id"] for m in self.versions.current() if m["source"] == "human"]
        groups = [
            [original(version) for version in self.versions.of_question(question)]
            for question in questions
        ]
        listed = [version for group in groups for version in group]
        assert len(set(listed)) == len(listed)
        for question, group in zip(questions, groups, strict=True):
            versions = {m["id"] for m in self.versions.of_question(question)}
            assert question in versions
            assert group


def rated(session: Session) -> list[tuple[int, str, str | None]]:
    return [
        (message.seq, message.rating, message.comment)
        for message in session.messages
        if message.rating and not message.replaced_by
    ]


def ready(session: Session) -> SessionReady:
    return SessionReady.model_construct(
        messages=tuple(message.for_client() for message in session.messages),
        has_earlier=session.is_truncated,
        reply=None,
        recovered=session.recovered,
        ratings_revision=session.ratings_revision,
    )


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_requests_leaves_clients_and_document_equal(
    store: Store, session: str, seed: int
) -> None:
    conversation = Conversation(store, session, seed)
    for _ in range(STEPS):
        conversation.step()
    assert conversation.done > STEPS / 4
    conversation.check()
