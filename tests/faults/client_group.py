"""Many clients at once, in mid-conversation."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from tests.faults.client import ResilientClient, Sent
from tests.faults.markers import WORDS
from tests.faults.site import Site

SETTLE_S = 120.0


class ClientGroup:
    """The clients of a site."""

    def __init__(self, site: Site, size: int, address: Callable[[], str] | None = None) -> None:
        self.site = site
        self.size = size
        self.clients: list[ResilientClient] = []
        self.first_exchange_s = 0.0
        self._address = address or (lambda: site.stack.ws_url)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "ClientGroup":
        for _ in range(self.size):
            await self.join()
        started_at = time.monotonic()
        await self.ask_each()
        self.first_exchange_s = time.monotonic() - started_at
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._open.aclose()

    async def join(self) -> ResilientClient:
        """Add a client with a session of its own."""
        marker, token = await self.site.new_session()
        client = await self._open.enter_async_context(ResilientClient(marker, token, self._address))
        self.clients.append(client)
        return client

    async def ask_each(self, within_s: float = SETTLE_S) -> None:
        """Send one message per client and wait for all replies."""
        async with asyncio.timeout(within_s):
            await asyncio.gather(*(client.ask() for client in self.clients))

    @asynccontextmanager
    async def conversing(
        self, pause_s: float = 0.0, share: float = 0.25, words: str = WORDS
    ) -> AsyncIterator[None]:
        """Let every client send messages during the block, then wait until all are answered."""
        over = asyncio.Event()
        conversations = [
            asyncio.create_task(_converse(one, over, pause_s, words)) for one in self.clients
        ]
        await self.in_mid_reply(share)
        try:
            yield
            over.set()
            async with asyncio.timeout(SETTLE_S):
                await asyncio.gather(*conversations)
        finally:
            for conversation in conversations:
                conversation.cancel()

    async def in_mid_reply(self, share: float = 0.25) -> None:
        """Wait until this share of all sessions has a partial reply."""
        async with asyncio.timeout(SETTLE_S):
            while sum(bool(one.view.text) for one in self.clients) < share * len(self.clients):
                await asyncio.sleep(0.01)

    async def answered(self, sent: Iterable[Sent], within_s: float = SETTLE_S) -> None:
        """Wait until these messages are answered."""
        async with asyncio.timeout(within_s):
            await asyncio.gather(*(one.answered.wait() for one in sent))

    async def settle(self) -> None:
        """Wait until everything sent is answered."""
        await self.answered(self.sent())

    def sent(self) -> list[Sent]:
        """Return all messages of all clients."""
        return [sent for client in self.clients for sent in client.sent]

    def open_at(self, instant: float) -> list[Sent]:
        """Return the messages that were sent and not answered at an instant."""
        return [
            sent
            for sent in self.sent()
            if sent.sent_at <= instant and (sent.answered_at or instant) >= instant
        ]

    def recovery_s(self, fault_started_at: float, fault_ended_at: float | None = None) -> float:
        """Return the time after the fault until all messages open at its start are answered."""
        since = fault_started_at if fault_ended_at is None else fault_ended_at
        ends = [sent.answered_at or time.monotonic() for sent in self.open_at(fault_started_at)]
        return max(0.0, max(ends, default=since) - since)


async def _converse(
    client: ResilientClient, over: asyncio.Event, pause_s: float, words: str
) -> None:
    while not over.is_set():
        await client.ask(words)
        await asyncio.sleep(pause_s)
