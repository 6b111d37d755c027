"""The store and the sync of one socket, without a web server."""

from collections.abc import AsyncIterator

import pytest

from chat.protocol import SessionLimits
from chat.store import sessions
from chat.store.client import AsyncStore
from chat.websocket.codecs import ChatV1Codec, Codec, OutgoingFrame
from chat.websocket.sync import SocketSync

CLIENT_LIMITS = SessionLimits(
    max_message_chars=2000,
    max_pending=3,
    messages_per_minute=1_000,
    history_messages=4,
    session_ttl_s=600,
    ping_interval_s=1.25,
)


@pytest.fixture
async def async_store(redis_url: str) -> AsyncIterator[AsyncStore]:
    store = AsyncStore(redis_url, connections=4)
    yield store
    await store.redis.aclose()


async def open_sync(store: AsyncStore, session: str, codec: Codec | None = None) -> SocketSync:
    """Return the sync of a newly opened socket."""
    loaded = await store.run(sessions.load(session))
    sync = SocketSync(store, loaded, codec or ChatV1Codec(), CLIENT_LIMITS)
    sync.open(loaded)
    return sync


def types(frames: object) -> list[str]:
    """Return the types of outgoing frames."""
    assert isinstance(frames, list | tuple)
    return [type_of(frame) for frame in frames]


def type_of(frame: OutgoingFrame) -> str:
    return frame.position.type if hasattr(frame, "position") else frame.type
