"""How many messages are ahead of one that waits, and how long that takes.

The positions of all sockets of a process are loaded in batches, and a limited number per second:
otherwise a queue would cost the more, the longer it is.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from uuid import UUID

from chat.errors import StoreUnavailable
from chat.protocol import ReplyQueued
from chat.schemas import QueueState, Session
from chat.store.client import AsyncStore
from chat.store.queue import Position, QueuePosition, positions

logger = logging.getLogger(__name__)

PAUSE_S = 0.25
BATCH = 100  # per pause: 400 sockets per second
INTERVAL_S = 1.5
LONGEST_INTERVAL_S = 8.0
# Load a position again after this share of the estimated wait.
INTERVAL_SHARE = 0.2
# Replies per second, if there is no estimate.
USUAL_PER_S = 100


@dataclass
class _Socket:
    session: str
    on_position: Callable[[QueueState | None], bool]
    since: str | None = None


class QueuePositions:
    """The sockets of this process with a message that waits, by name. It belongs to one loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._sockets: dict[str, _Socket] = {}
        self._due: list[tuple[float, str]] = []
        self._task: asyncio.Task[None] | None = None

    def add(
        self, name: str, session: str, on_position: Callable[[QueueState | None], bool]
    ) -> None:
        """Call `on_position` with the state of the queue, until it returns False.

        It is called with None if the session does not wait for a worker, or was taken since the
        last call. It must not block. Does nothing for a socket that was added already.
        """
        if name in self._sockets:
            return
        self._sockets[name] = _Socket(session, on_position)
        loop = asyncio.get_running_loop()
        heappush(self._due, (loop.time() + INTERVAL_S, name))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())

    def remove(self, name: str) -> None:
        """Forget a socket; does nothing if it was never added."""
        self._sockets.pop(name, None)

    async def _run(self) -> None:
        while self._due:
            await asyncio.sleep(PAUSE_S)
            if batch := self._take_due():
                await self._update(batch)

    def _take_due(self) -> list[tuple[str, _Socket]]:
        now = asyncio.get_running_loop().time()
        batch: list[tuple[str, _Socket]] = []
        while self._due and self._due[0][0] <= now and len(batch) < BATCH:
            _, name = heappop(self._due)
            if socket := self._sockets.get(name):
                batch.append((name, socket))
        return batch

    async def _update(self, batch: Sequence[tuple[str, _Socket]]) -> None:
        found = await self._load([socket.session for _, socket in batch])
        now = asyncio.get_running_loop().time()
        for number, (name, socket) in enumerate(batch):
            position = found.get(number)
            if self._sockets.get(name) is not socket:  # closed, or added again meanwhile
                continue
            if _notify(socket, position):
                heappush(self._due, (now + _interval_s(position), name))
            else:
                self.remove(name)

    async def _load(self, sessions: Sequence[str]) -> Mapping[int, Position]:
        """Return the positions by number; those that cannot be loaded are missing."""
        commands = positions(sessions, self._store.buckets)
        try:
            results = await self._store.run_all([command for _, command in commands])
        except StoreUnavailable:
            logger.debug("Queue positions could not be loaded: Redis does not respond")
            return {}
        found: dict[int, Position] = {}
        for (numbers, _), result in zip(commands, results, strict=True):
            if not isinstance(result, Exception):
                found |= dict(zip(numbers, result, strict=True))
        return found


def _notify(socket: _Socket, position: QueuePosition | None) -> bool:
    since, socket.since = socket.since, position.since if position else None
    is_same = position is not None and since in (None, position.since)
    try:
        return socket.on_position(position.queue if position and is_same else None)
    except Exception:
        # One socket must not end the positions of all others.
        logger.exception("A socket did not handle its queue position")
        return False


def _interval_s(position: QueuePosition | None) -> float:
    if position is None:
        return INTERVAL_S
    eta_s = _eta_s(position.queue, index=0, is_taken=False)
    wait_s = position.queue.ahead / USUAL_PER_S if eta_s is None else eta_s
    return min(max(wait_s * INTERVAL_SHARE, INTERVAL_S), LONGEST_INTERVAL_S)


def queue_positions(session: Session) -> Iterator[ReplyQueued]:
    """Yield the queue position of each message that waits, oldest first."""
    return positions_of(session.pending, session.partial_reply is not None, session.queue)


def positions_of(
    pending: Sequence[UUID], is_taken: bool, queue: QueueState
) -> Iterator[ReplyQueued]:
    """Yield the queue position of each message that waits, oldest first.

    If `is_taken`, the first one is being answered.

    `ahead` counts the session's own older messages and one message of each waiting session ahead of
    it. The estimate divides the duration of recent replies by the number in progress, so it needs
    to know neither workers nor threads. It is None if no reply is in progress.
    """
    for index, message in enumerate(pending):
        if index >= is_taken:
            ahead = index + queue.ahead
            eta_s = _eta_s(queue, index, is_taken)
            yield ReplyQueued(reply_to=message, ahead=ahead, eta_s=eta_s, workers=queue.workers)


def _eta_s(queue: QueueState, index: int, is_taken: bool) -> float | None:
    """Estimate the wait of the message with `index` older ones in its own session.

    Each older message costs a turn: its reply, and a wait for a worker behind all waiting sessions.
    """
    if queue.mean_reply_s is None or not queue.in_progress:
        return None
    slot_s = queue.mean_reply_s / queue.in_progress
    turn_s = queue.mean_reply_s + queue.waiting * slot_s
    if is_taken:
        wait_s = _remaining_s(queue.mean_reply_s, queue.elapsed_s) + queue.waiting * slot_s
        return round(wait_s + (index - 1) * turn_s, 1)
    wait_s = _remaining_s(slot_s, queue.elapsed_s) + queue.ahead * slot_s
    return round(wait_s + index * turn_s, 1)


def _remaining_s(usual_s: float, elapsed_s: float) -> float:
    """Estimate the rest of something that usually takes `usual_s`.

    After half of that time, expect it to take as long again: otherwise the estimate of a late reply
    would reach zero and stay there.
    """
    return max(usual_s - elapsed_s, elapsed_s)
