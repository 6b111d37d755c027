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
from tests.faults.proxy import Cutter, Proxy
from tests.faults.site import WRITES_SLOWLY, Site
from tests.faults.trial import Trial, fault
from tests.model_stub import Behaviour

FRAMES_TO_CUT_AT = 12
EVENTS = 300
MANY_WORDS = " ".join(f"w{number}" for number in range(EVENTS))
EVENT_EACH = Behaviour(piece_delay_s=0.04, times=None)
LONG_WORDS = "x" * 1900
MAX_GROWTH_BYTES = 64 * 1024 * 1024
ABORT_WITHIN_S = 60.0
PATIENT = {"MODEL_TIMEOUT_S": "240", "REPLY_DEADLINE_S": "240"}
STRICT = {"MESSAGES_PER_MINUTE": "600"}
SYNCS = 2000
SYNCS_THAT_FILL = 80
FLOOD_FRAMES = 100_000
IDLE_S = 75.0
LONG_REPLY_S = 180.0
PROXY_IDLE_S = 60.0


class FrameCutter:
    """Cuts a connection before, in or after the n-th WebSocket frame of one direction."""

    def __init__(self, number: int, share: float, to_server: bool) -> None:
        self._number = number
        self._share = share
        self._to_server = to_server
        self._seen = b""

    def passes(self, data: bytes, *, to_server: bool) -> tuple[bytes, bool]:
        """Return what passes of `data`, and whether the connection is cut after it."""
        if to_server != self._to_server:
            return data, False
        passed = len(self._seen)
        self._seen += data
        cut_at = self._cut_at()
        if cut_at is None or cut_at > len(self._seen):
            return data, False
        return data[: max(0, cut_at - passed)], True

    def _cut_at(self) -> int | None:
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
        more = {126: 2, 127: 8}.get(size, 0)
        if more:
            size = int.from_bytes(data[at + 2 : at + 2 + more], "big")
        whole = 2 + more + (4 if masked else 0) + size
        yield whole
        at += whole


@fault(13, "connection cut before, in and after each frame, both ways", times=100)
async def connection_cut(trial: Trial) -> None:
    plans = itertools.cycle(
        (number, share, to_server)
        for number in range(1, FRAMES_TO_CUT_AT + 1)
        for share in (0.0, 0.5, 1.0)
        for to_server in (True, False)
    )
    uncut = itertools.cycle([False, True])

    def next_cutter() -> Cutter | None:
        return None if next(uncut) else FrameCutter(*next(plans))

    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        async with trial.group(through(proxy)) as group:
            proxy.new_cutter = next_cutter
            while proxy.cuts < trial.times:
                await group.ask_each()
                proxy.cut_all()
        trial.times = proxy.cuts
    assert trial.counts.failed == 0


@fault(14, "a client that never reads, another that floods", times=2, environment=STRICT)
async def client_that_never_reads_and_one_that_floods(trial: Trial) -> None:
    web = psutil.Process(trial.site.web.pid)
    async with trial.group() as group, group.conversing(pause_s=0.5):
        before, most = web.memory_info().rss, 0
        bad = [asyncio.create_task(one(trial.site)) for one in (_never_read, _flood)]
        async with asyncio.timeout(ABORT_WITHIN_S):
            while not all(one.done() for one in bad):
                most = max(most, web.memory_info().rss - before)
                await asyncio.sleep(0.1)
        await asyncio.gather(*bad)
    assert most < MAX_GROWTH_BYTES, f"the web process grew by {most >> 20} MiB"
    assert trial.counts.failed == 0


@fault(14, "clients that do not read while a reply of 300 events comes")
async def slow_readers(trial: Trial) -> None:
    model = trial.site.model
    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        async with trial.group(through(proxy)) as group:
            model.always(Behaviour(times=None))
            for _ in range(8):
                await asyncio.gather(*(client.ask(LONG_WORDS) for client in group.clients))
            model.always(EVENT_EACH)
            sent = [await client.send_next(MANY_WORDS) for client in group.clients]
            await group.in_mid_reply(share=1)
            trial.fault_started()
            proxy.pause(to_server=False)
            for _ in range(SYNCS_THAT_FILL):
                for client in group.clients:
                    await client.send_if_connected("session.sync", after=0)
            await _answered_in_documents(trial.site, group)
            assert not any(one.answered_at for one in sent)
            trial.fault_ended()
            proxy.flow()
            await trial.recovered(group)
    assert trial.counts.failed == 0


@fault(
    15,
    "75 s idle, and a reply of 3 minutes, behind a 60 s idle limit",
    environment=PATIENT,
    order="early",
)
async def idle(trial: Trial) -> None:
    async with Proxy(lambda: ("127.0.0.1", trial.site.web.port)) as proxy:
        proxy.idle_limit_s = PROXY_IDLE_S
        async with trial.group(through(proxy)) as group:
            connects = sum(client.types["session.ready"] for client in group.clients)
            for client in group.clients:
                client.ping_interval_s = None
            proxy.cut_all()
            await group.ask_each()
            waiting, resting = group.clients[::2], group.clients[1::2]
            trial.site.model.always(Behaviour(delay_s=LONG_REPLY_S, times=None))
            long = [await client.send_next() for client in waiting]
            await asyncio.sleep(IDLE_S)
            trial.site.model.always(WRITES_SLOWLY)
            await asyncio.gather(*(client.ask() for client in resting))
            await group.answered(long, within_s=2 * LONG_REPLY_S)
            reconnects = sum(client.types["session.ready"] for client in group.clients) - connects
            assert proxy.cuts == 0, "idle connections were cut"
            assert reconnects == len(group.clients), "a client reconnected"
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
            text = marked_text("m000000000000", number, LONG_WORDS)
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
            raise AssertionError(f"{FLOOD_FRAMES} frames were accepted")


@asynccontextmanager
async def _raw(site: Site) -> AsyncIterator[ClientConnection]:
    """A socket without the automatic behaviour of a client."""
    _, token = await site.new_session()
    url = f"{site.stack.ws_url}?token={token}"
    async with connect(
        url, subprotocols=[CHAT_V1], compression=None, ping_interval=None, proxy=None
    ) as socket:
        yield socket


def through(proxy: Proxy) -> Callable[[], str]:
    """Return the chat's address behind a proxy."""
    return lambda: f"ws://127.0.0.1:{proxy.port}/chat"
