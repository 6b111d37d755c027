"""Faults of the network between client and web process: rows 13 to 15."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.client import CHAT_V1
from tests.faults.client_group import ClientGroup
from tests.faults.markers import marked_text
from tests.faults.proxy import Dropper, Proxy
from tests.faults.site import SLOW_MODEL, Site
from tests.faults.trial import Trial, fault
from tests.model_stub import Behaviour

FRAMES_TO_DROP_AT = 12
EVENTS = 300
FILLER_OF_300_WORDS = " ".join(f"w{number}" for number in range(EVENTS))
ONE_EVENT_PER_PIECE = Behaviour(piece_delay_s=0.04, times=None)
LONG_FILLER = "x" * 1900
MAX_GROWTH_BYTES = 64 * 1024 * 1024
ABORTED_WITHIN_S = 60.0
LONG_TIMEOUTS = {"MODEL_TIMEOUT_S": "240", "REPLY_DEADLINE_S": "240"}
LOW_RATE_LIMIT = {"MESSAGES_PER_MINUTE": "600"}
SYNCS = 2000
SYNCS_TO_FILL_BUFFERS = 80
FLOOD_FRAMES = 100_000
IDLE_S = 75.0
LONG_REPLY_S = 180.0
PROXY_IDLE_S = 60.0


class FrameDropper:
    """Drops a connection before, in or after the n-th WebSocket frame of one direction."""

    def __init__(self, number: int, share: float, to_server: bool) -> None:
        self._number = number
        self._share = share
        self._to_server = to_server
        self._seen = b""

    def forwarded(self, data: bytes, *, to_server: bool) -> tuple[bytes, bool]:
        """Return the part of `data` to forward, and whether to drop the connection after it."""
        if to_server != self._to_server:
            return data, False
        forwarded = len(self._seen)
        self._seen += data
        drop_at = self._drop_at()
        if drop_at is None or drop_at > len(self._seen):
            return data, False
        return data[: max(0, drop_at - forwarded)], True

    def _drop_at(self) -> int | None:
        handshake, blank, frames = self._seen.partition(b"\r\n\r\n")
        if not blank:
            return None
        at = len(handshake) + len(blank)
        for number, size in enumerate(frame_sizes(frames), start=1):
            if number == self._number:
                return at + int(size * self._share)
            at += size
        return None


def frame_sizes(data: bytes) -> Iterator[int]:
    """Yield the size of each WebSocket frame that begins in `data` (RFC 6455, 5.2)."""
    at = 0
    while at + 2 <= len(data):
        masked, size = data[at + 1] & 0x80, data[at + 1] & 0x7F
        extended = {126: 2, 127: 8}.get(size, 0)
        if extended:
            size = int.from_bytes(data[at + 2 : at + 2 + extended], "big")
        total = 2 + extended + (4 if masked else 0) + size
        yield total
        at += total


@fault(13, "connection dropped before, in and after each frame, in both directions", times=100)
async def connection_dropped(trial: Trial) -> None:
    plans = itertools.cycle(
        (number, share, to_server)
        for number in range(1, FRAMES_TO_DROP_AT + 1)
        for share in (0.0, 0.5, 1.0)
        for to_server in (True, False)
    )
    is_kept = itertools.cycle([False, True])

    def next_dropper() -> Dropper | None:
        return None if next(is_kept) else FrameDropper(*next(plans))

    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        async with trial.group(through(proxy)) as group:
            proxy.new_dropper = next_dropper
            while proxy.drops < trial.times:
                await group.exchange_each()
                proxy.drop_all()
        trial.times = proxy.drops
    assert trial.counts.failed == 0


@fault(
    14,
    "one client that never reads, another that floods the server",
    times=2,
    environment=LOW_RATE_LIMIT,
)
async def client_that_never_reads_and_one_that_floods(trial: Trial) -> None:
    web = psutil.Process(trial.site.web.pid)
    async with trial.group() as group, group.conversing(pause_s=0.5):
        before, most = web.memory_info().rss, 0
        bad = [asyncio.create_task(one(trial.site)) for one in (_never_read, _flood)]
        async with asyncio.timeout(CUT_OFF_WITHIN_S):
            while not all(one.done() for one in bad):
                most = max(most, web.memory_info().rss - before)
                await asyncio.sleep(0.1)
        await asyncio.gather(*abusive)
    assert growth < MAX_GROWTH_BYTES, f"the web process grew by {growth >> 20} MiB"
    assert trial.counts.failed == 0


@fault(14, "clients that do not read during a reply of 300 events")
async def slow_readers(trial: Trial) -> None:
    model = trial.site.model
    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        async with trial.group(through(proxy)) as group:
            model.always(Behaviour(times=None))
            for _ in range(8):
                await asyncio.gather(*(client.exchange(LONG_FILLER) for client in group.clients))
            model.always(ONE_EVENT_PER_PIECE)
            sent = [await client.send_next(FILLER_OF_300_WORDS) for client in group.clients]
            await group.until_in_mid_reply(share=1)
            trial.fault_started()
            proxy.pause(to_server=False)
            for _ in range(SYNCS_TO_FILL_BUFFERS):
                for client in group.clients:
                    await client.send_if_connected("session.sync", after=0)
            await _answered_in_documents(trial.site, group)
            assert not any(one.answered_at for one in sent)
            trial.fault_ended()
            proxy.resume()
            await trial.recovered(group)
    assert trial.counts.failed == 0


@fault(
    15,
    "75 s idle and a reply of 3 minutes behind a proxy with a 60 s idle timeout",
    environment=LONG_TIMEOUTS,
    order="early",
)
async def idle_connections(trial: Trial) -> None:
    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        proxy.idle_limit_s = PROXY_IDLE_S
        async with trial.group(through(proxy)) as group:
            connects = sum(client.types["session.ready"] for client in group.clients)
            for client in group.clients:
                client.ping_interval_s = None
            proxy.drop_all()
            await group.exchange_each()
            waiting, idle = group.clients[::2], group.clients[1::2]
            trial.site.model.always(Behaviour(delay_s=LONG_REPLY_S, times=None))
            long = [await client.send_next() for client in waiting]
            await asyncio.sleep(IDLE_S)
            trial.site.model.always(SLOW_MODEL)
            await asyncio.gather(*(client.exchange() for client in idle))
            await group.wait_answered(long, within_s=2 * LONG_REPLY_S)
            reconnects = sum(client.types["session.ready"] for client in group.clients) - connects
            assert proxy.drops == 0, "the proxy closed idle connections"
            assert reconnects == len(group.clients), "a client had to reconnect"
    assert trial.counts.failed == 0


async def _answered_in_documents(site: Site, group: ClientGroup) -> None:
    for client in group.clients:
        async with asyncio.timeout(60):
            while (await site.history(client.token))[-1]["source"] != "bot":
                await asyncio.sleep(0.2)


async def _never_read(site: Site) -> None:
    """Request the history again and again without reading; return when disconnected."""
    async with _raw(site) as socket:
        for number in range(30):
            text = marked_text("m000000000000", number, LONG_FILLER)
            frame = {"type": "message.send", "id": str(uuid4()), "msg": text}
            await socket.send(json.dumps(frame))
            await socket.recv()
        socket.transport.pause_reading()
        with suppress(WebSocketException, OSError):
            for _ in range(SYNCS):
                await socket.send(json.dumps({"type": "session.sync", "after": 0}))
                await asyncio.sleep(0.01)
            await socket.wait_closed()


async def _flood(site: Site) -> None:
    """Send frames as fast as possible; return when disconnected."""
    async with _raw(site) as socket:
        with suppress(ConnectionClosed, OSError):
            for _ in range(FLOOD_FRAMES):
                await socket.send('{"type": "session.sync", "after": 0}')
            raise AssertionError(f"the server accepted {FLOOD_FRAMES} frames")


@asynccontextmanager
async def _plain_socket(site: Site) -> AsyncIterator[ClientConnection]:
    """Open a socket without heartbeats and resync."""
    _, token = await site.new_session()
    url = f"{site.stack.ws_url}?token={token}"
    async with connect(
        url, subprotocols=[CHAT_V1], compression=None, ping_interval=None, proxy=None
    ) as socket:
        yield socket


def through(proxy: Proxy) -> Callable[[], str]:
    """Return a function that returns the chat's address behind a proxy."""
    return lambda: f"ws://127.0.0.1:{proxy.port}/chat"
