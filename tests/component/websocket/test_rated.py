"""Whatever events a socket misses, its client ends with the ratings of the document."""

import random
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import pytest

from chat.events.published_frame import PublishedFrame, frames_of
from chat.protocol import ReplyRate, server_frames
from chat.store import sessions
from chat.store.client import AsyncStore, Store
from chat.store.command import Command
from chat.store.renewals import OpenSocket, Renewal, SocketState, renewals
from chat.websocket.codecs import ChatV1Codec, PlainCodec
from chat.websocket.handlers import Effects, FrameHandlers
from chat.websocket.rate_limit import ReadLimits
from chat.websocket.sync import Frames, SocketSync
from tests.client_view import ClientView
from tests.component.conftest import LIMITS, renew_socket, send_message, store_reply
from tests.component.websocket.conftest import CLIENT_LIMITS, open_sync, types

CODEC = ChatV1Codec()
MOVES = ("exchange", "rate", "rate", "rate", "drop", "connect", "late", "lose")


@dataclass
class Tab:
    """A client's view, and the sync of its socket while it is connected."""

    view: ClientView = field(default_factory=ClientView)
    sync: SocketSync | None = None

    async def connect(self, store: AsyncStore, session: str) -> None:
        command = sessions.load(session, self.view.last_seq, rated=self.view.ratings_revision)
        loaded = await store.run(command)
        self.sync = SocketSync(store, loaded, CODEC, CLIENT_LIMITS)
        self.show(self.sync.open(loaded))

    def show(self, frames: Frames) -> None:
        for frame in frames:
            text = CODEC.encode(frame)
            assert text
            self.view.apply(server_frames.validate_json(text).model_dump(mode="json"))

    async def receive(self, frame: PublishedFrame) -> None:
        if self.sync:
            self.show(await self.sync.on_frame(frame))


def handlers(store: AsyncStore, session: str) -> FrameHandlers:
    return FrameHandlers(store, LIMITS, ReadLimits(10, 10, 10), session, "address")


async def rate(store: AsyncStore, session: str, reply: UUID, chance: random.Random) -> Effects:
    frame = ReplyRate(
        id=reply,
        rating=chance.choice(("up", "down", None)),
        comment=chance.choice((None, "why", " ")),
    )
    return await handlers(store, session).handle(frame)


def published(effects: Effects) -> list[PublishedFrame]:
    return frames_of(effects.event) if effects.event else []


def heartbeat_command(session: str) -> Command[tuple[Renewal, ...]]:
    [(_, command)] = renewals([OpenSocket(session, "socket", address=session)], buckets=1)
    return command


async def heartbeat(store: AsyncStore, session: str, tab: Tab) -> None:
    [state] = await store.run(heartbeat_command(session))
    assert isinstance(state, SocketState)
    if tab.sync and not tab.sync.is_current(state):
        tab.show(await tab.sync.resync())


def forget_last_rating(store: Store, session: str) -> None:
    """Lose the last rating, as a Redis that restarts from an older file."""
    key, document = f"chat:{{{session}}}:ratings", f"chat:{{{session}}}:document"
    for seq in cast(list[bytes], store.redis.zrange(key, -1, -1)):
        store.redis.zrem(key, seq)
        for name in ("rating", "comment"):
            path = f"$.messages[{int(seq) - 1}].{name}"
            store.redis.execute_command("JSON.DEL", document, path)


@pytest.mark.parametrize("seed", range(12))
async def test_every_tab_ends_with_the_ratings_of_the_document(
    async_store: AsyncStore, store: Store, session: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(sessions, "MAX_CHANGED_RATINGS", chance.choice((2, 200)))
    replies: list[UUID] = []
    delayed: list[tuple[Tab, PublishedFrame]] = []
    tabs = [Tab(), Tab(), Tab()]
    for tab in tabs:
        await tab.connect(async_store, session)
    for _ in range(40):
        tab = chance.choice(tabs)
        move = chance.choice(MOVES)
        if move == "exchange":
            send_message(store, session)
            replies.append(store_reply(store, session).id)
        elif move == "rate" and replies:
            effects = await rate(async_store, session, chance.choice(replies), chance)
            assert effects.frame
            if tab.sync:
                own = PublishedFrame.of(effects.frame)
                tab.show(await tab.sync.on_frame(own, repeat=effects.repeat))
            # An event reaches each other tab at once, later, or never.
            for frame in published(effects):
                for other in tabs:
                    match chance.choice(("now", "late", "never")):
                        case "now":
                            await other.receive(frame)
                        case "late":
                            delayed.append((other, frame))
        elif move == "late" and delayed:
            other, frame = delayed.pop(chance.randrange(len(delayed)))
            await other.receive(frame)
        elif move == "drop":
            tab.sync = None
        elif move == "connect":
            await tab.connect(async_store, session)
        elif move == "lose" and seed % 3 == 0 and all(each.sync for each in tabs):
            forget_last_rating(store, session)
            for each in tabs:  # before the next rating
                await heartbeat(async_store, session, each)
    for other, frame in delayed:
        await other.receive(frame)
    for tab in tabs:
        if tab.sync is None:
            await tab.connect(async_store, session)
        await heartbeat(async_store, session, tab)

    document = await async_store.run(sessions.load(session))
    wanted = {str(m.id): (m.rating, m.comment) for m in document.messages if m.source == "bot"}
    for tab in tabs:
        shown = {
            id: (message.get("rating"), message.get("comment"))
            for message in tab.view.messages.values()
            if (id := message["id"]) in wanted
        }
        assert shown == wanted
        assert tab.view.violations == []


async def test_a_rating_that_redis_lost_is_noticed_by_the_next_one(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    for _ in range(2):
        send_message(store, session)
        store_reply(store, session)
    first, second = (m.id for m in store.run(sessions.load(session)).messages if m.reply_to)
    sync = await open_sync(async_store, session)
    lost = await handlers(async_store, session).handle(ReplyRate(id=first, rating="up"))
    assert types(await sync.on_frame(published(lost)[0])) == ["reply.rated"]
    forget_last_rating(store, session)
    kept = await handlers(async_store, session).handle(ReplyRate(id=second, rating="up"))
    ready = (await sync.on_frame(published(kept)[0]))[0]
    assert types([ready]) == ["session.ready"]
    assert ready.recovered is False  # type: ignore[union-attr]


async def test_the_sender_of_a_rating_that_changes_nothing_is_told_again(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    send_message(store, session)
    reply = store_reply(store, session)
    frame = ReplyRate(id=reply.id, rating="down", comment="  why ")
    first = await handlers(async_store, session).handle(frame)
    again = await handlers(async_store, session).handle(frame)
    assert first.frame is not None
    assert again.frame is not None
    assert first.frame.model_dump_json() == again.frame.model_dump_json()
    assert '"comment":"why"' in first.frame.model_dump_json()
    assert first.event is not None
    assert (again.event, again.repeat) == (None, True)


async def test_a_plain_client_hears_nothing_of_ratings(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    send_message(store, session)
    reply = store_reply(store, session)
    sync = await open_sync(async_store, session, PlainCodec())
    rated = await handlers(async_store, session).handle(ReplyRate(id=reply.id, rating="up"))
    assert await sync.on_frame(published(rated)[0]) == []
    assert sync.is_current(renew_socket(store, session))
