"""Keeps one socket's client in sync with its session's document.

Every method returns the frames to send. A published frame is forwarded if it is the next one. If
something is missing before it, the document is loaded, and what was missed is sent in the same
frames as if no event had been lost.
"""

from collections.abc import Sequence
from uuid import UUID

from chat.events.published_frame import PublishedFrame
from chat.observability import metrics
from chat.protocol import (
    ModelChoice,
    ModelLoading,
    ReplyQueued,
    ServerFrame,
    SessionExpired,
    SessionExpiring,
    SessionLimits,
    SessionReady,
)
from chat.schemas import Operator, QueueState, Session, StoredMessage
from chat.store import sessions
from chat.store.client import AsyncStore
from chat.store.operators import SupportState
from chat.store.paging import session_pages
from chat.store.renewals import SocketState
from chat.store.sessions import NEWEST_PAGE, Page
from chat.websocket.codecs import Codec, OutgoingFrame
from chat.websocket.cursor import Cursor, Decision, Presence, rated_frames
from chat.websocket.queue_position import positions_of, queue_positions
from chat.websocket.timers import SessionTimers, Timer

Frames = Sequence[OutgoingFrame]
LAST_MESSAGE = Page(messages=1)


def first_page(codec: Codec) -> Page:
    """Return what to load for a new connection; a plain client is sent none of it."""
    return NEWEST_PAGE if codec.carries("session.ready") else LAST_MESSAGE


class SocketSync:
    """What one client was sent, and what it must be sent next. Methods may raise a ChatError."""

    def __init__(
        self,
        store: AsyncStore,
        session: Session,
        codec: Codec,
        limits: SessionLimits,
        models: Sequence[ModelChoice] = (),
    ) -> None:
        self._store = store
        self._session = session.id
        self._codec = codec
        self._limits = limits
        self._models = tuple(models)
        self._cursor = Cursor(session)
        self._presence = Presence(session)
        self._positions: list[ReplyQueued] = []
        self._timers = SessionTimers(session, self._cursor, codec.carries("reply.queued"))

    def open(self, session: Session) -> Frames:
        """Return the first frames of a connection."""
        return [self._ready(session), *rated_frames(session.ratings), *_waiting(session)]

    @property
    def operator(self) -> Operator | None:
        """The person who answers, as far as this socket knows."""
        return self._presence.operator

    def note_request(self, state: SupportState) -> ServerFrame:
        """Return the frame about the visitor's request for a person."""
        return self._presence.note_request(state.requested, available=state.on_duty > 0)

    async def on_frame(self, frame: PublishedFrame, *, repeat: bool = False) -> Frames:
        """Place a published frame; with `repeat` it is sent even if it was sent before."""
        if not self._codec.carries(frame.position.type):
            self._timers.record_progress(self._cursor)
            return []
        frames: list[OutgoingFrame] = []
        decision = self._cursor.decide(frame.position)
        if decision is Decision.GAP:
            metrics.resyncs.inc()
            frames += (await self._catch_up())[1]
        if decision is Decision.DELIVER or repeat:
            frames.append(frame)
        self._timers.record_progress(self._cursor)
        return frames

    def is_current(self, state: SocketState) -> bool:
        """Return whether the client knows who answers, all ratings, and where the document ends."""
        if state.expires_at != self._timers.expires_at:
            self._timers.update_expiry(state.expires_at, state.remaining_s)
        operator = self.operator.name if self.operator else None
        is_rated = state.ratings_revision != self._cursor.ratings_revision
        is_told = self._codec.carries("reply.rated")
        return (state.last_seq, state.operator) == (self._cursor.last_seq, operator) and not (
            is_told and is_rated
        )

    async def on_timer(self, timer: Timer) -> Frames:
        """Return the frames that are due."""
        match timer:
            case Timer.RESYNC:
                return await self.resync()
            case Timer.EXPIRY:
                return (await self._catch_up())[1]
            case Timer.EXPIRY_WARNING:
                session, frames = await self._catch_up()
                if self._timers.expires_as_warned(session):
                    return [*frames, SessionExpiring(expires_at=session.expires_at)]
                return frames

    async def resync(self) -> Frames:
        """Return what the client missed, and the position of what waits."""
        session, frames = await self._catch_up()
        self._timers.record_progress(self._cursor)
        return [*frames, *_waiting(session)]

    async def load(self, after: int, rated: int = 0) -> Frames:
        """Return the session with its newest messages after `after`, and ratings after `rated`."""
        session = await self._store.run(sessions.load(self._session, after, rated=rated))
        return [*self._reset(session), *_waiting(session)]

    async def on_change(self) -> Frames:
        """Return the session, because more than its messages has changed."""
        if self._codec.carries("session.ready"):
            return await self.load(self._cursor.last_seq, self._cursor.ratings_revision)
        return await self.resync()

    @property
    def is_queued(self) -> bool:
        """Whether a message waits that is not being answered, as far as this socket knows."""
        return self._cursor.queued > 0

    async def on_position(self, queue: QueueState | None) -> Frames:
        """Return the queue positions if they have changed, or what was missed without `queue`."""
        if queue is None:
            return await self.resync()
        waiting = [UUID(message) for message in self._cursor.waiting]
        frames = list(positions_of(waiting, self._cursor.partial_id is not None, queue))
        if frames == self._positions:
            return []
        self._positions = frames
        return frames

    def end(self) -> Frames:
        """Return the last frame: the session is over."""
        return [SessionExpired(expires_at=self._timers.ended_at())]

    async def next_timer(self) -> Timer:
        """Wait for the next timer."""
        return await self._timers.next()

    def resync_soon(self) -> None:
        """Note that something could not be sent or loaded."""
        self._timers.resync_soon()

    async def _catch_up(self) -> tuple[Session, Frames]:
        session = await self._load_missed()
        frames = None if session.is_truncated else self._cursor.catch_up(session)
        if frames is None:
            return session, self._reset(session)
        self._timers.update_expiry(session.expires_at, session.remaining_s)
        return session, [*frames, *self._presence.catch_up(session)]

    async def _load_missed(self) -> Session:
        """Load the messages after the last one sent: their newest page, or all of them.

        A client that cannot request earlier messages must be sent all.
        """
        after, known = self._cursor.last_seq, self._cursor.last_id
        if self._codec.carries("session.ready"):
            rated = self._cursor.ratings_revision
            command = sessions.load(self._session, after, known=known, rated=rated)
            return await self._store.run(command)
        messages: list[StoredMessage] = []
        recovered = True
        async for page in session_pages(self._store, self._session, after, known):
            if not page.recovered:
                messages, recovered = [], False
            messages += page.messages
        found = {"messages": tuple(messages), "recovered": recovered}
        return page.model_copy(update=found)

    def _reset(self, session: Session) -> Sequence[ServerFrame]:
        self._cursor = Cursor(session)
        self._timers.update_expiry(session.expires_at, session.remaining_s)
        self._timers.record_progress(self._cursor)
        ready = self._codec.catch_up(self._ready(session))
        return [*ready, *rated_frames(session.ratings), *self._presence.catch_up(session)]

    def _ready(self, session: Session) -> SessionReady:
        return SessionReady(
            name=session.name,
            session_start=session.session_start,
            expires_at=session.expires_at,
            messages=tuple(message.for_client() for message in session.messages),
            has_earlier=session.is_truncated,
            reply=session.partial_reply,
            recovered=session.recovered,
            limits=self._limits,
            operator=self._presence.operator,
            operator_requested=session.operator_requested,
            operator_available=session.operators_on_duty > 0,
            ratings_revision=session.ratings_revision,
            models=self._models,
        )


def _waiting(session: Session) -> Sequence[ServerFrame]:
    """Return the frames about messages that wait for the model or for a worker."""
    # A person is there: nothing waits for a worker.
    frames: list[ServerFrame] = [] if session.operator else list(queue_positions(session))
    if session.partial_reply and session.retry_in_s:
        reply_to = session.partial_reply.reply_to
        return [ModelLoading(reply_to=reply_to, retry_in_s=session.retry_in_s), *frames]
    return frames
