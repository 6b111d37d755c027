"""Renews the registrations of all open sockets of a process, in batches.

A renewal also returns where the document ends, so that a socket that missed an event notices it
although nothing else happens. A command and a timer per socket would cost several times as much.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, repeat

from chat.errors import StoreUnavailable
from chat.store.client import AsyncStore
from chat.store.renewals import OpenSocket, Renewal, renewals

logger = logging.getLogger(__name__)

HEARTBEAT_S = 8.0
PAUSE_S = 0.25
BATCH = 200


@dataclass
class _Socket:
    socket: OpenSocket
    on_renewal: Callable[[Renewal], None]
    due_at: float


class Heartbeats:
    """The open sockets of this process, by name. It belongs to one event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        # Ordered by due_at: each is renewed after the same interval.
        self._sockets: dict[str, _Socket] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: OpenSocket, on_renewal: Callable[[Renewal], None]) -> None:
        """Renew a socket from now on; `on_renewal` gets each result and must not block."""
        loop = asyncio.get_running_loop()
        self._sockets[socket.name] = _Socket(socket, on_renewal, loop.time() + HEARTBEAT_S)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())

    def remove(self, name: str) -> None:
        """Stop renewing a socket; does nothing if it was never added."""
        self._sockets.pop(name, None)

    async def _run(self) -> None:
        while self._sockets:
            await asyncio.sleep(PAUSE_S)
            while batch := self._take_due():
                await self._renew(batch)

    def _take_due(self) -> list[_Socket]:
        """Return the next sockets that are due, and put them behind the others."""
        now = asyncio.get_running_loop().time()
        batch = []
        for name, socket in list(islice(self._sockets.items(), BATCH)):
            if socket.due_at > now:
                break
            del self._sockets[name]
            socket.due_at = now + HEARTBEAT_S
            self._sockets[name] = socket
            batch.append(socket)
        return batch

    async def _renew(self, batch: list[_Socket]) -> None:
        commands = renewals([each.socket for each in batch], self._store.buckets)
        try:
            results = await self._store.run_all([command for _, command in commands])
        except StoreUnavailable:
            logger.debug("Heartbeats failed: Redis does not respond")
            return
        for (numbers, _), result in zip(commands, results, strict=True):
            of_each = repeat(result) if isinstance(result, Exception) else result
            for number, renewal in zip(numbers, of_each, strict=False):
                _notify(batch[number], renewal)


def _notify(socket: _Socket, renewal: Renewal) -> None:
    try:
        socket.on_renewal(renewal)
    except Exception:
        # One socket must not end the heartbeats of all others.
        logger.exception("A socket did not handle its heartbeat")
