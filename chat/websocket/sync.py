"""Keeps one socket's client up to date with its session's document.

An event is passed on where it is the next thing to tell. Where something is missing before it, the
document is read and what was missed is told in the same frames, as if no event had been lost.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from chat.observability import metrics
from chat.protocol import (
    ModelLoading,
    ServerFrame,
    SessionExpired,
    SessionExpiring,
    SessionLimits,
    SessionReady,
    server_frames,
)
from chat.schemas import Session
from chat.store import sessions
from chat.store.client import AsyncStore
from chat.websocket.codecs import Dialect
from chat.websocket.cursor import Cursor, Decision
from chat.websocket.queue_position import queue_positions
from chat.websocket.timers import SessionTimers, Timer

Tell = Callable[[ServerFrame], Awaitable[None]]


async def load_since(
    store: AsyncStore, session: str, after: int, known: UUID | None = None
) -> Session:
    """Read a session with the messages that came after `after`.

    Where one of them stood for an older reply and was itself replaced, all messages come: it is
    told without what it had replaced, and a client that knows that one would go on showing it.
    """
    found = await store.run(sessions.load(session, after, known=known))
    ids = {message.id for message in found.messages}
    if any(one.replaced_by and one.replaces and one.replaces not in ids for one in found.messages):
        return await store.run(sessions.load(session))
    return found


class SocketSync:
    """What one client was told, and the ways to tell it more. Each may raise a ChatError."""

    def __init__(
        self,
        store: AsyncStore,
        session: Session,
        dialect: Dialect,
        limits: SessionLimits,
        tell: Tell,
    ) -> None:
        self._store = store
        self._limits = limits
        self._session = session.id
        self._dialect = dialect
        self._tell = tell
        self._cursor = Cursor(session)
        tells_places = dialect.follows("reply.queued")
        self._watch = SessionTimers(session, self._cursor, tells_places)

    async def begin(self, session: Session) -> None:
        """Tell a client that just came."""
        await self._tell(self._ready(session))
        await self._tell_waiting(session)

    async def hear(self, event: str | None) -> None:
        """Pass on an event's frame, given as JSON; None for an event that this dialect ignores."""
        if event is None:
            self._watch.hear(self._cursor)
        else:
            await self.pass_on(server_frames.validate_json(event))

    async def pass_on(self, frame: ServerFrame, anyway: bool = False) -> None:
        """Tell a frame once; `anyway` also where it was told before."""
        verdict = self._cursor.see(frame)
        if verdict is Decision.GAP:
            metrics.session_resynced()
            await self._tell_missed()
        if verdict is Decision.DELIVER or anyway:
            await self._tell(frame)
        self._watch.hear(self._cursor)

    async def look(self) -> None:
        """Tell what was missed, and the place of what waits."""
        session = await self._tell_missed()
        await self._tell_waiting(session)
        self._watch.hear(self._cursor)

    async def compare(self, last_seq: int) -> None:
        """Look where the document ends elsewhere than what was told, because either lost some."""
        if last_seq != self._cursor.last_seq:
            metrics.session_resynced()
            await self.look()

    async def tell_all(self, after: int | None = None) -> None:
        """Tell the session with the messages after `after`, or after those that were told."""
        since = self._cursor.last_seq if after is None else after
        session = await load_since(self._store, self._session, since)
        await self._tell_session(session)
        await self._tell_waiting(session)

    async def tell_end(self) -> None:
        """Tell that the session is over."""
        await self._tell(SessionExpired(expires_at=self._watch.ended_at()))

    async def next_due(self) -> Timer:
        """Wait until the clock asks for something."""
        return await self._watch.next()

    async def do(self, due: Timer) -> None:
        """Do what the clock asks for."""
        match due:
            case Timer.LOOK:
                await self.look()
            case Timer.END:
                await self._tell_missed()
            case Timer.WARNING:
                session = await self._tell_missed()
                if self._watch.is_near_the_end(session):
                    await self._tell(SessionExpiring(expires_at=session.expires_at))

    def doubt(self) -> None:
        """Note that something could not be told: the clock will ask to look again."""
        self._watch.doubt()

    async def _tell_missed(self) -> Session:
        cursor = self._cursor
        session = await load_since(
            self._store, self._session, cursor.last_seq, known=cursor.last_id
        )
        frames = cursor.catch_up(session)
        if frames is None:
            await self._tell_session(session)
            return session
        self._watch.renew(session)
        for frame in frames:
            await self._tell(frame)
        return session

    async def _tell_session(self, session: Session) -> None:
        self._cursor = Cursor(session)
        self._watch.renew(session)
        self._watch.hear(self._cursor)
        for frame in self._dialect.catch_up(self._ready(session)):
            await self._tell(frame)

    async def _tell_waiting(self, session: Session) -> None:
        if session.partial_reply and session.retry_in_s:
            reply_to = session.partial_reply.reply_to
            await self._tell(ModelLoading(reply_to=reply_to, retry_in_s=session.retry_in_s))
        for place in queue_positions(session):
            await self._tell(place)

    def _ready(self, session: Session) -> SessionReady:
        return SessionReady(
            name=session.name,
            session_start=session.session_start,
            expires_at=session.expires_at,
            messages=tuple(message.for_client() for message in session.messages),
            reply=session.partial_reply,
            recovered=session.recovered,
            limits=self._limits,
        )
