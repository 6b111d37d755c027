"""Random interleavings of what people, networks and workers do, and what must hold after them.

A trial is one session with its tabs, played from a seed: the same seed makes the same moves. Many
trials share a site, whose workers, web processes and model are broken meanwhile.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chat.schemas import Session, StoredMessage, session_id
from chat.store import sessions
from chat.store.client import AsyncStore
from tests.client import Client, create_session
from tests.processes import Stack

SETTLE_S = 60
NAMESPACE = UUID("00000000-0000-4000-8000-000000000000")
GONE = (ConnectionClosed, ConnectionError, InvalidHandshake, OSError)
WEIGHTS = {
    "say": 7,
    "say_again": 2,
    "stop": 3,
    "regenerate": 3,
    "drop": 3,
    "connect": 4,
    "read_slowly": 2,
    "sync": 1,
}
WORDS = ("tea", "größer", "日本語", "😀", "e\u0301", "Human", "x" * 30, "and so on")


@dataclass(frozen=True)
class Move:
    """One step of a trial: `pick` chooses among the messages so far."""

    kind: str
    tab: int
    pick: int
    pause_s: float
    text: str


def plan(seed: int, length: int) -> tuple[int, list[Move]]:
    """Return a seed's number of tabs and its moves."""
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
    """One session, its tabs, and what they said."""

    def __init__(self, site: Stack, seed: int, tabs: int, moves: Sequence[Move]) -> None:
        self.seed = seed
        self._site = site
        self._moves = moves
        self._chance = random.Random(seed)
        self._said: dict[str, str] = {}
        self._drafts: list[tuple[Client, str]] = []
        self._pauses: set[asyncio.Task[None]] = set()
        self._token = ""
        self._tabs = [Client(site.ws_url, "") for _ in range(tabs)]

    async def create_session(self) -> None:
        """Begin the session, while nothing is broken yet."""
        web = self._site.running("web")[0]
        self._token = await asyncio.to_thread(create_session, f"http://127.0.0.1:{web.port}")

    async def play(self, store: AsyncStore) -> list[str]:
        """Make the moves, let everything settle, and return what does not hold."""
        for tab in self._tabs:
            tab.token = self._token
            await self._connect(tab)
        try:
            for number, move in enumerate(self._moves):
                await self._make(number, move)
                await asyncio.sleep(move.pause_s)
            return await self._settle(store)
        finally:
            for tab in self._tabs:
                await tab.close()

    async def _make(self, number: int, move: Move) -> None:
        tab = self._tabs[move.tab]
        known = list(self._said)
        match move.kind:
            case "say":
                id = str(uuid5(NAMESPACE, f"{self._token} {number}"))
                self._said[id] = f"{number} {move.text}"
                self._drafts.append((tab, id))
                await self._say(tab, id)
            case "say_again" if known:
                await self._say(tab, known[move.pick % len(known)])
            case "stop" | "regenerate" if known:
                last = known[-1 - move.pick % min(3, len(known))]
                await self._send(tab, f"reply.{move.kind}", reply_to=last)
            case "drop":
                await tab.drop()
            case "connect" if not tab.is_connected:
                await self._connect(tab)
            case "read_slowly":
                self._read_slowly(tab)
            case "sync":
                await self._send(tab, "session.sync", after=tab.view.last_seq)

    async def _connect(self, tab: Client) -> None:
        """Connect to any web process and send again what was not acknowledged, as clients do."""
        web = self._chance.choice(self._site.running("web"))
        tab.ws_url = f"ws://127.0.0.1:{web.port}/chat"
        try:
            await tab.connect()
        except GONE:
            return
        for owner, id in self._drafts:
            if owner is tab and id not in _ids(tab):
                await self._say(tab, id)

    async def _say(self, tab: Client, id: str) -> None:
        await self._send(tab, "message.send", id=id, msg=self._said[id])

    async def _send(self, tab: Client, kind: str, **fields: Any) -> None:
        if tab.is_connected:
            try:
                await tab.send(kind, **fields)
            except GONE:
                return

    def _read_slowly(self, tab: Client) -> None:
        async def pause() -> None:
            tab.may_read.clear()
            await asyncio.sleep(0.5)
            tab.may_read.set()

        task = asyncio.create_task(pause())
        self._pauses.add(task)
        task.add_done_callback(self._pauses.discard)

    async def _settle(self, store: AsyncStore) -> list[str]:
        """Reconnect every tab until all messages are answered and shown.

        Returns what still does not hold when time is up.
        """
        for tab in self._tabs:
            tab.may_read.set()
        give_up_at = time.monotonic() + SETTLE_S
        while True:
            for tab in self._tabs:
                if not tab.is_connected:
                    await self._connect(tab)
            troubles = self._troubles(await self._read(store))
            if not troubles or time.monotonic() > give_up_at:
                return troubles
            await asyncio.sleep(0.1)

    async def _read(self, store: AsyncStore) -> Session:
        return await store.run(sessions.load(session_id(self._token)))

    def _troubles(self, document: Session) -> list[str]:
        shown = [
            (one.seq, str(one.id), None if one.replaced_by else one.msg)
            for one in document.messages
        ]
        troubles = list(_broken_rules(document.messages, self._said))
        if document.pending:
            troubles.append(f"not answered: {document.pending}")
        for number, tab in enumerate(self._tabs):
            troubles += [f"tab {number}: {each}" for each in tab.view.violations]
            if tab.view.shown() != shown:
                troubles.append(f"tab {number} shows {tab.view.shown()}, the document has {shown}")
            if tab.view.partial_reply or tab.view.queued:
                troubles.append(f"tab {number} waits: {tab.view.partial_reply} {tab.view.queued}")
        return troubles


def _ids(tab: Client) -> set[str]:
    return {str(message["id"]) for message in tab.view.messages.values()}


def _broken_rules(messages: Sequence[StoredMessage], sent: dict[str, str]) -> list[str]:
    """Return which of the rules (order, once, kept) a document breaks."""
    human = [one for one in messages if one.source == "human"]
    bots = [one for one in messages if one.source == "bot"]
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("numbers without gaps", lambda: [m.seq for m in messages] == _count(messages)),
        ("each message once", lambda: {str(m.id): m.msg for m in human} == sent),
        ("no message twice", lambda: len({m.id for m in messages}) == len(messages)),
        (
            "answered once, in order",
            lambda: [m.reply_to for m in bots if not m.replaces] == [m.id for m in human],
        ),
        (
            "one reply counts for each",
            lambda: sorted(str(m.reply_to) for m in bots if not m.replaced_by) == sorted(sent),
        ),
        ("replies to what was said", lambda: all(_fits(m, sent) for m in bots)),
    ]
    return [f"not so: {name}" for name, holds in checks if not holds()]


def _count(messages: Sequence[StoredMessage]) -> list[int]:
    return list(range(1, len(messages) + 1))


def _fits(reply: StoredMessage, sent: dict[str, str]) -> bool:
    """Whether a reply is the model's to its own message, whole or as far as it may be."""
    whole = f"You said: {sent[str(reply.reply_to)]}"
    if reply.finish_reason == "stop":
        return reply.msg == whole
    return whole.startswith(reply.msg) and bool(reply.error or reply.finish_reason)


async def shrink(
    fails: Callable[[Sequence[Move]], Any], moves: Sequence[Move], tries: int
) -> Sequence[Move]:
    """Leave out moves, in ever smaller pieces, as long as the rest still fails."""
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
