"""SocketSync forwards the next frame, drops a duplicate, and fills a gap from the document."""

import json

import pytest

from chat.errors import SessionUnknown
from chat.events.published_frame import PublishedFrame
from chat.protocol import (
    MessageAccepted,
    ReplyCompleted,
    ReplyDelta,
    ReplyStarted,
    SessionReady,
)
from chat.store import leases, sessions
from chat.store.client import AsyncStore, Store
from chat.store.operation import cluster
from chat.store.timing import WORKER_SILENCE_MS
from chat.websocket.codecs import ChatV1Codec, PlainCodec
from chat.websocket.sync import SocketSync
from chat.websocket.timers import Timer
from tests.component.conftest import LIMITS, renew_socket, send_message, store_reply, take_message
from tests.component.websocket.conftest import CLIENT_LIMITS, open_sync, types


def accepted(store: Store, session: str, text: str = "hello") -> PublishedFrame:
    return PublishedFrame.of(MessageAccepted(message=send_message(store, session, text).public()))


async def test_the_next_frame_is_forwarded_unchanged_and_only_once(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    frame = accepted(store, session)
    assert list(await sync.on_frame(frame)) == [frame]
    assert list(await sync.on_frame(frame)) == []
    assert list(await sync.on_frame(frame, repeat=True)) == [frame]


async def test_a_gap_is_filled_from_the_document(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    accepted(store, session, "lost")
    store_reply(store, session)
    frames = await sync.on_frame(accepted(store, session, "next"))
    assert types(frames) == ["message.accepted", "reply.completed", "message.accepted"]
    assert [frame.message.seq for frame in frames] == [1, 2, 3]  # type: ignore[union-attr]


async def test_a_missed_partial_reply_is_started_with_its_text_so_far(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    await sync.on_frame(accepted(store, session))
    taken = take_message(store, session)
    store.run(leases.progress(session, taken.lease, taken.reply, text="one two"))
    late = ReplyDelta(reply_to=taken.message.id, id=taken.reply, offset=4, text="two")
    frames = await sync.on_frame(PublishedFrame.of(late))
    assert types(frames) == ["reply.started", "reply.delta"]
    assert frames[1].text == "one two"  # type: ignore[union-attr]


async def test_a_client_ahead_of_the_document_gets_the_whole_session(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    await sync.on_frame(accepted(store, session))
    store.redis.execute_command("JSON.SET", f"chat:{{{session}}}:document", "$.messages", "[]")
    ready = (await sync.resync())[0]
    assert types([ready]) == ["session.ready"]
    assert ready.recovered is False  # type: ignore[union-attr]


async def test_a_heartbeat_finds_missed_messages_and_another_expiry(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    assert sync.is_current(renew_socket(store, session))
    store.run(sessions.extend(session, LIMITS.ttl_s * 2))
    extended = renew_socket(store, session)
    assert sync.is_current(extended)
    assert sync.end()[0].expires_at <= extended.expires_at  # type: ignore[union-attr]
    assert sync._timers.expires_at == extended.expires_at
    accepted(store, session)
    assert not sync.is_current(renew_socket(store, session))
    assert types(await sync.resync()) == ["message.accepted", "reply.queued"]
    assert sync.is_current(renew_socket(store, session))


async def test_a_new_socket_gets_the_queue_position_of_a_waiting_message(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    send_message(store, session)
    sync = await open_sync(async_store, session)
    frames = await sync.load(0)
    assert types(frames) == ["session.ready", "reply.queued"]


async def test_the_plain_codec_ignores_deltas_and_converts_replies(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    codec = PlainCodec()
    sync = await open_sync(async_store, session, codec)
    await sync.on_frame(accepted(store, session))
    taken = take_message(store, session)
    started = ReplyStarted(reply_to=taken.message.id, id=taken.reply)
    assert list(await sync.on_frame(PublishedFrame.of(started))) == []
    store.run(leases.release(session, taken.lease))
    completed = PublishedFrame.of(ReplyCompleted(message=store_reply(store, session).public()))
    (frame,) = await sync.on_frame(completed)
    text = codec.encode(frame)
    assert text is not None
    assert json.loads(text)["msg"] == "hi"


async def test_an_expired_session_raises(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    store.run(sessions.erase(session))
    with pytest.raises(SessionUnknown):
        await sync.resync()
    assert types(list(sync.end())) == ["session.expired"]


async def test_an_expiry_warning_is_not_sent_after_the_session_was_extended(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    store.run(sessions.extend(session, 600))
    assert types(list(await sync.on_timer(Timer.EXPIRY_WARNING))) == []


def exchange(store: Store, session: str, count: int) -> None:
    for number in range(count):
        send_message(store, session)
        store_reply(store, session, f"reply {number}")


async def test_a_long_session_opens_with_its_newest_messages(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    exchange(store, session, 101)
    loaded = await async_store.run(sessions.load(session))
    ready = SocketSync(async_store, loaded, ChatV1Codec(), CLIENT_LIMITS).open(loaded)[0]
    assert isinstance(ready, SessionReady)
    assert [message.seq for message in ready.messages] == list(range(3, 203))
    assert ready.has_earlier


async def test_a_client_that_missed_more_than_a_page_gets_the_newest_one(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    exchange(store, session, 101)
    frames = await sync.resync()
    assert types(frames) == ["session.ready"]
    assert isinstance(frames[0], SessionReady)
    assert (frames[0].has_earlier, frames[0].recovered) == (True, True)
    assert await sync.resync() == [], "it has been brought up to date"


async def test_a_plain_client_gets_every_reply_that_it_missed(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session, PlainCodec())
    exchange(store, session, 101)
    frames = await sync.resync()
    replies = [frame for frame in frames if isinstance(frame, ReplyCompleted)]
    assert [reply.message.msg for reply in replies] == [f"reply {n}" for n in range(101)]
    assert await sync.resync() == []


async def test_a_reply_replaced_twice_names_the_one_that_it_replaced(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    human = send_message(store, session)
    replies = [store_reply(store, session)]
    sync = await open_sync(async_store, session)
    for _ in range(2):
        store.run(sessions.regenerate(session, human.id, address="test", limits=LIMITS))
        replies.append(store_reply(store, session))
    ready = (await sync.resync())[0]
    assert isinstance(ready, SessionReady)
    replaced, current = ready.messages
    assert (replaced.id, replaced.replaces) == (replies[1].id, replies[0].id)
    assert (current.id, current.replaces) == (replies[2].id, replies[1].id)


async def test_a_waiting_message_is_told_how_many_workers_run(
    async_store: AsyncStore, store: Store, session: str
) -> None:
    sync = await open_sync(async_store, session)
    await sync.on_frame(accepted(store, session))
    store.redis.delete("chat:workers")
    store.run(cluster.heartbeat("host:1", free=1))
    [running] = await sync.resync()
    store.redis.zincrby("chat:workers", -WORKER_SILENCE_MS - 1, "host:1")
    [silent] = await sync.resync()
    assert running.workers == 1  # type: ignore[union-attr]
    assert silent.workers == 0  # type: ignore[union-attr]
