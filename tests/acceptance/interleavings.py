"""Random interleavings of actions of clients, networks and workers, and the invariants after them.

A trial is one session with its tabs and the moves of a seed: the same seed makes the same moves.
Many trials share a site, whose workers, web processes and model fail in the meantime.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chat.schemas import Session, StoredMessage, session_id
from chat.store import sessions
from chat.store.client import AsyncStore
from tests.client import Client, create_session
from tests.processes import Stack

SETTLE_S = 60
NAMESPACE = UUID("00000000-0000-4000-8000-000000000000")
DISCONNECTED = (ConnectionClosed, ConnectionError, InvalidHandshake, OSError)
WEIGHTS = {
    "send": 7,
    "resend": 2,
    "stop": 3,
    "regenerate": 3,
    "continue": 2,
    "edit": 2,
    "choose": 3,
    "drop": 3,
    "connect": 4,
    "read_slowly": 2,
    "sync": 1,
    "rate": 4,
}
WORDS = ("tea", "größer", "日本語", "😀", "e\u0301", "Human", "x" * 30, "and so on")


@dataclass(frozen=True)
class Move:
    """One move of a trial; `pick` selects one of the messages so far."""

    kind: str
    tab: int
    pick: int
    pause_s: float
    text: str


def plan(seed: int, length: int) -> tuple[int, list[Move]]:
    """Return the number of tabs and the moves of a seed."""
    chance = random.Random(seed)
    tabs = chance.randint(2, 5)
    kinds = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return tabs, [
        Move(
            kind=kind,
            tab=chance.randrange(tabs),
            pick=chance.randrange(1_000),
            pause_s=chance.choice((0, 0, 0.01, 0.05, 0.3)),
            text=" ".join(chance.choices(WORDS, k=chance.randint(1, 6))),
        )
        for kind in kinds
    ]


class Trial:
    """One session, its tabs, and the messages they sent."""

    def __init__(self, site: Stack, seed: int, tabs: int, moves: Sequence[Move]) -> None:
        self.seed = seed
        self._site = site
        self._moves = moves
        self._chance = random.Random(seed)
        self._sent: dict[str, str] = {}
        self._edits: dict[str, str] = {}
        self._senders: list[tuple[Client, str]] = []
        self._pauses: set[asyncio.Task[None]] = set()
        self._token = ""
        self._tabs = [Client(site.ws_url, "") for _ in range(tabs)]

    async def create_session(self) -> None:
        """Create the session, before anything fails."""
        web = self._site.running("web")[0]
        self._token = await asyncio.to_thread(create_session, f"http://127.0.0.1:{web.port}")

    async def run(self, store: AsyncStore) -> list[str]:
        """Make the moves, wait until every message has its reply, and return the violations."""
        for tab in self._tabs:
            tab.token = self._token
            await self._connect(tab)
        try:
            for number, move in enumerate(self._moves):
                await self._make_move(number, move)
                await asyncio.sleep(move.pause_s)
            return await self._settle(store)
        finally:
            for tab in self._tabs:
                await tab.close()

    async def _make_move(self, number: int, move: Move) -> None:
        tab = self._tabs[move.tab]
        known, messages = list(self._sent), list(tab.view.messages.values())
        shown = [m["id"] for m in messages if m["source"] == "human" and "replaced_by" not in m]
        last = [*known[-3:], *shown[-2:]]
        match move.kind:
            case "send" | "edit":
                id = str(uuid5(NAMESPACE, f"{self._token} {number}"))
                self._sent[id] = f"{number} {move.text}"
                self._senders.append((tab, id))
                if move.kind == "edit" and last:
                    self._edits[id] = last[move.pick % len(last)]
                await self._send_message(tab, id)
            case "resend" if known:
                await self._send_message(tab, known[move.pick % len(known)])
            case "stop" | "regenerate" | "continue" if last:
                reply_to = last[move.pick % len(last)]
                await self._send(tab, f"reply.{move.kind}", reply_to=reply_to)
            case "choose" if replaced := [m for m in messages if "replaced_by" in m]:
                version = replaced[-1 - move.pick % len(replaced)]["id"]
                await self._send(tab, "version.choose", id=str(uuid4()), version=version)
            case "drop":
                await tab.drop()
            case "connect" if not tab.is_connected:
                await self._connect(tab)
            case "read_slowly":
                self._read_slowly(tab)
            case "sync":
                revision = tab.view.ratings_revision
                after = tab.view.last_seq
                await self._send(tab, "session.sync", after=after, ratings_revision=revision)
            case "rate":
                await self._rate(tab, move)

    async def _connect(self, tab: Client) -> None:
        """Connect to any web process and resend messages that were not accepted, as clients do."""
        web = self._chance.choice(self._site.running("web"))
        tab.ws_url = f"ws://127.0.0.1:{web.port}/chat"
        try:
            await tab.connect()
        except DISCONNECTED:
            return
        for owner, id in self._senders:
            if owner is tab and id not in _ids(tab):
                await self._send_message(tab, id)

    async def _send_message(self, tab: Client, id: str) -> None:
        edit = {"replaces": self._edits[id]} if id in self._edits else {}
        await self._send(tab, "message.send", id=id, msg=self._sent[id], **edit)

    async def _send(self, tab: Client, type_: str, **fields: Any) -> None:
        if tab.is_connected:
            try:
                await tab.send(type_, **fields)
            except DISCONNECTED:
                return

    async def _rate(self, tab: Client, move: Move) -> None:
        """Rate a reply, or revoke its rating; a failed one is refused."""
        messages = [m for m in tab.view.messages.values() if m.get("source") == "bot"]
        if messages:
            id = messages[move.pick % len(messages)]["id"]
            rating = ("up", "down", None)[move.pick % 3]
            await self._send(tab, "reply.rate", id=id, rating=rating, comment=move.text)

    def _read_slowly(self, tab: Client) -> None:
        async def pause() -> None:
            tab.may_read.clear()
            await asyncio.sleep(0.5)
            tab.may_read.set()

        task = asyncio.create_task(pause())
        self._pauses.add(task)
        task.add_done_callback(self._pauses.discard)

    async def _settle(self, store: AsyncStore) -> list[str]:
        """Reconnect every tab until every invariant holds; return the violations on timeout."""
        for tab in self._tabs:
            tab.may_read.set()
        deadline = time.monotonic() + SETTLE_S
        while True:
            for tab in self._tabs:
                if not tab.is_connected:
                    await self._connect(tab)
            document = await self._load(store)
            await self._repeat_edits(document)
            violations = self._violations(document)
            if not violations or time.monotonic() > deadline:
                return violations
            await asyncio.sleep(0.1)

    async def _repeat_edits(self, document: Session) -> None:
        """Send edits again that were refused while a reply was in progress, as clients do."""
        stored = {str(message.id) for message in document.messages}
        missing = (self._edits.keys() & self._expected(document).keys()) - stored
        for tab, id in self._senders:
            if id in missing:
                await self._send_message(tab, id)

    def _expected(self, document: Session) -> dict[str, str]:
        """Return the messages sent, without edits of what is already replaced."""
        refused = {
            frame["ref"]
            for tab in self._tabs
            for frame in tab.frames
            if frame["type"] == "error" and frame["code"] == "message.invalid"
        } - {str(message.id) for message in document.messages}
        return {id: text for id, text in self._sent.items() if id not in refused}

    async def _load(self, store: AsyncStore) -> Session:
        return await store.run(sessions.load(session_id(self._token)))

    def _violations(self, document: Session) -> list[str]:
        shown = [
            (message.seq, str(message.id), None if message.replaced_by else message.msg)
            for message in document.messages
        ]
        rated = [
            (message.seq, message.rating, message.comment)
            for message in document.messages
            if message.rating and not message.replaced_by
        ]
        violations = list(_document_violations(document.messages, self._expected(document)))
        if document.pending:
            violations.append(f"no reply: {document.pending}")
        for number, tab in enumerate(self._tabs):
            violations += [f"tab {number}: {each}" for each in tab.view.violations]
            if tab.view.shown() != shown:
                violations.append(
                    f"tab {number} shows {tab.view.shown()}, the document has {shown}"
                )
            if tab.view.rated() != rated:
                violations.append(f"tab {number} shows the ratings {tab.view.rated()}, not {rated}")
            if tab.view.partial_reply or tab.view.queued:
                violations.append(
                    f"tab {number} still waits: {tab.view.partial_reply} {tab.view.queued}"
                )
        return violations


def _ids(tab: Client) -> set[str]:
    return {str(message["id"]) for message in tab.view.messages.values()}


def _document_violations(messages: Sequence[StoredMessage], sent: dict[str, str]) -> list[str]:
    """Return the invariants that a document violates."""
    questions = [message for message in messages if message.source == "human"]
    human = [message for message in questions if not message.version_of]
    bots = [message for message in messages if message.source == "bot"]
    # Later replies replace an earlier one, failed to, or are copies.
    first = [m for m in bots if not (m.replaces or m.discarded or m.version_of)]
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("seq without gaps", lambda: [m.seq for m in messages] == _numbers(messages)),
        ("each sent message once", lambda: {str(m.id): m.msg for m in human} == sent),
        ("unique ids", lambda: len({m.id for m in messages}) == len(messages)),
        (
            "one reply each, in order",
            lambda: [m.reply_to for m in first] == [m.id for m in human],
        ),
        (
            "one reply each that is not replaced",
            lambda: (
                sorted(str(m.reply_to) for m in bots if not m.replaced_by)
                == sorted(str(m.id) for m in questions if not m.replaced_by)
            ),
        ),
        ("each reply fits its message", lambda: all(_fits(m, questions) for m in bots)),
    ]
    return [f"violated: {name}" for name, holds in checks if not holds()]


def _numbers(messages: Sequence[StoredMessage]) -> list[int]:
    return list(range(1, len(messages) + 1))


def _fits(reply: StoredMessage, questions: Sequence[StoredMessage]) -> bool:
    """Return whether a reply is the model's reply to its message, or a part if it ended early."""
    question = next(message for message in questions if message.id == reply.reply_to)
    whole = f"You said: {question.msg}"
    if reply.finish_reason == "stop":
        return reply.msg == whole
    return whole.startswith(reply.msg) and bool(reply.error or reply.finish_reason)


async def shrink(
    fails: Callable[[Sequence[Move]], Any], moves: Sequence[Move], tries: int
) -> Sequence[Move]:
    """Remove moves, in ever smaller chunks, as long as the rest still fails."""
    size = len(moves) // 2
    while size and tries:
        for start in range(0, len(moves), size):
            rest = [*moves[:start], *moves[start + size :]]
            tries -= 1
            if tries and rest and await fails(rest):
                moves = rest
                break
        else:
            size //= 2
    return moves
