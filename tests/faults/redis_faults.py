"""Faults of Redis, as the store, the layer and the broker: rows 7 to 11."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from chat.observability.health import UNREACHABLE
from tests.client import CHAT_V1
from tests.faults.client import ResilientClient
from tests.faults.client_group import ClientGroup
from tests.faults.proxy import Proxy
from tests.faults.site import Site
from tests.faults.trial import Trial, fault
from tests.faults.worker_faults import LONG_REPLIES

FROZEN_S = 8.0
PAUSE_S = 3.0
AWAY_S = 3.0
BROKER_AWAY_S = 8.0
PING_EACH_S = 0.05
TYPICAL_PONG_S = 0.05
SLOWEST_PONG_S = 1.0
ACCEPTED_WITHIN_S = 1.0
RESET_WITHIN_S = 60.0


class Pinger:
    """Measures how long the web process' event loop takes to answer a ping."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.pongs_s: list[float] = []

    async def __aenter__(self) -> "Pinger":
        _, token = await self._site.new_session()
        url = f"{self._site.stack.ws_url}?token={token}"
        self._socket = await connect(url, subprotocols=[CHAT_V1], ping_interval=None, proxy=None)
        self._pinging = asyncio.create_task(self._ping(self._socket))
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._pinging.cancel()
        await asyncio.gather(self._pinging, return_exceptions=True)
        await self._socket.close()

    async def _ping(self, socket: ClientConnection) -> None:
        while True:
            started_at = time.monotonic()
            await (await socket.ping())
            self.pongs_s.append(time.monotonic() - started_at)
            await asyncio.sleep(PING_EACH_S)

    def assert_prompt(self, slowness: float) -> None:
        """Fail for seconds, as of a call that blocks the loop, not for a busy machine."""
        ordered = sorted(self.pongs_s)
        typical = ordered[len(ordered) // 2]
        assert typical < TYPICAL_PONG_S * slowness, f"a pong takes {typical:.3f} s"
        assert ordered[-1] < SLOWEST_PONG_S * slowness, f"the slowest pong took {ordered[-1]:.3f} s"


@fault(7, "Redis paused for 8 s while every session sends")
async def redis_frozen(trial: Trial) -> None:
    site = trial.site
    async with trial.group() as group, group.conversing():
        async with Pinger(site) as pinger:
            trial.fault_started()
            site.stack.running("redis")[0].send(signal.SIGSTOP)
            started_at = time.monotonic()
            status, checks = await site.readiness()
            assert (status, checks["redis"]) == (503, "unreachable")
            await asyncio.sleep(FROZEN_S - (time.monotonic() - started_at))
            site.stack.running("redis")[0].send(signal.SIGCONT)
            trial.fault_ended()
            pinger.assert_prompt(trial.slowness)
        await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(7, "Redis paused for 3 s, longer than a lease, in mid-reply", times=2)
async def redis_paused_in_mid_reply(trial: Trial) -> None:
    """A lease that expired and that nobody took stays its holder's: no reply starts again."""
    site = trial.site
    site.model.always(LONG_REPLIES)
    async with trial.group() as group:
        for _ in range(trial.times):
            await asyncio.gather(*(client.send_next() for client in group.clients))
            await group.in_mid_reply()
            trial.fault_started()
            redis = site.stack.running("redis")[0]
            redis.send(signal.SIGSTOP)
            await asyncio.sleep(PAUSE_S)
            redis.send(signal.SIGCONT)
            await group.settle()
    assert trial.counts.failed == 0
    restarted = len(site.model.requests) - trial.counts.accepted
    assert restarted <= 0, f"{restarted} of {trial.counts.accepted} replies started again"


@fault(8, "Redis killed and started again", times=3)
async def redis_killed(trial: Trial) -> None:
    site = trial.site
    async with trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            trial.fault_started()
            await site.in_thread(site.stack.running("redis")[0].kill)
            assert (await site.readiness())[1]["redis"] == "unreachable"
            await asyncio.sleep(AWAY_S)
            await site.in_thread(site.stack.start_redis)
            trial.fault_ended()
            await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(8, "Redis killed and the last second of writes lost", times=2)
async def redis_forgets(trial: Trial) -> None:
    """Messages lost from the document are reported, and clients can send their own again."""
    site = trial.site
    async with trial.group() as group:
        for number in range(1, trial.times + 1):
            file = await site.in_thread(site.append_only_file)
            size = file.stat().st_size
            await group.ask_each()
            trial.fault_started()
            await site.in_thread(site.stack.running("redis")[0].kill)
            with file.open("r+b") as writes:
                writes.truncate(size)
            await site.in_thread(site.stack.start_redis)
            trial.fault_ended()
            for client in group.clients:
                await client.wait_until(
                    partial(_was_reset, client, number), timeout_s=RESET_WITHIN_S
                )
            await trial.recovered(group)
            await group.settle()
    assert trial.counts.failed == 0


@fault(9, "Redis emptied in mid-chat", times=2)
async def redis_emptied(trial: Trial) -> None:
    site = trial.site
    for _ in range(trial.times):
        async with ClientGroup(site, trial.sessions) as group:
            for client in group.clients:
                await client.send_next()
            await group.in_mid_reply()
            trial.fault_started()
            await site.in_thread(site.redis.flushall)
            async with asyncio.timeout(30):
                await asyncio.gather(*(client.expired.wait() for client in group.clients))
            trial.recoveries_s.append(time.monotonic() - trial.fault_started_at)
        async with trial.group() as group:
            await group.ask_each()
    assert trial.counts.failed == 0


@fault(10, "Redis at its maxmemory")
async def redis_full(trial: Trial) -> None:
    site = trial.site
    async with trial.group() as group:
        keys = await site.in_thread(site.redis.dbsize)
        used = (await site.in_thread(site.redis.info, "memory"))["used_memory"]
        await site.in_thread(site.redis.config_set, "maxmemory", used // 2)
        for client in group.clients:
            client.errors.clear()
            await client.send_next()
            await client.wait_until(partial(len, client.errors))
            assert {error["code"] for error in client.errors} == {"store.unavailable"}
            assert len(await site.history(client.token)) == 2
        trial.fault_started()
        refused = await site.in_thread(site.request, "POST", "/token", params={"name": "Ada"})
        assert refused.status_code == 503, refused.text
        assert (await site.readiness())[1]["redis"].startswith("refuses writes")
        assert await site.in_thread(site.redis.dbsize) >= keys, "something was evicted"
        await site.in_thread(site.redis.config_set, "maxmemory", 0)
        trial.fault_ended()
        await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(11, "broker refused", times=1)
async def broker_refused(trial: Trial) -> None:
    async with _broker_proxy(trial.site) as proxy, trial.group() as group:
        await proxy.refuse()
        await talk_without_broker(trial, group)
        await proxy.listen()
        trial.fault_ended()
        await trial.recovered(group)
        await trial.site.until_ready()
    assert trial.counts.failed == 0


@fault(11, "broker paused", times=1)
async def broker_paused(trial: Trial) -> None:
    async with _broker_proxy(trial.site) as proxy, trial.group() as group:
        proxy.pause()
        await talk_without_broker(trial, group)
        proxy.flow()
        trial.fault_ended()
        await trial.recovered(group)
        await trial.site.until_ready()
    assert trial.counts.failed == 0


def _was_reset(client: ResilientClient, times: int) -> bool:
    return client.view.resets >= times


async def talk_without_broker(
    trial: Trial, group: ClientGroup, *, state: str = UNREACHABLE
) -> None:
    """Send a message in each session; `state` is what /readyz says of the broker meanwhile."""
    async with Pinger(trial.site) as pinger:
        sent = [await client.send_next() for client in group.clients]
        trial.fault_started()
        await asyncio.sleep(BROKER_AWAY_S)
        assert all(one.accepted_at for one in sent), "not accepted without the broker"
        assert (
            max((one.accepted_at or 0) - one.sent_at for one in sent)
            < ACCEPTED_WITHIN_S * trial.slowness
        )
        status, checks = await trial.site.readiness()
        assert (status, checks["redis"], checks["broker"]) == (503, "ok", state), checks
        pinger.assert_prompt(trial.slowness)


@asynccontextmanager
async def _broker_proxy(site: Site) -> AsyncIterator[Proxy]:
    """Connect Celery through a proxy; the store and the channel layer connect directly."""
    store = urlsplit(site.stack.redis_url)
    async with Proxy(lambda: ("127.0.0.1", store.port or 0)) as proxy:
        await site.restart(
            CELERY_BROKER_URL=store._replace(
                netloc=f":{store.password}@127.0.0.1:{proxy.port}"
            ).geturl()
        )
        yield proxy
