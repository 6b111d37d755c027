"""Faults of a site whose parts run on hosts of their own: rows 41 to 43.

The hosts are network namespaces: `web`; `first` and `second` with a worker each, `second` also with
beat; `redis`. The model and the clients are on the test's own host. The clock of `first` is 5 s
ahead.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from chat.cli.processes import procfile_commands
from tests.faults.client_group import ClientGroup
from tests.faults.host_faults import shifted_clock
from tests.faults.hosts import NetworkHost, network
from tests.faults.proxy import Proxy
from tests.faults.site import WRITES_SLOWLY, Site
from tests.faults.trial import Trial, fault
from tests.model_stub import ModelStub
from tests.processes import ROOT, WEB_SERVERS, Process, is_serving
from tests.sentinels import PASSWORD, Host, SentinelGroup

CLOCK_AHEAD_S = 5
PACKET_LOSS = 0.05
ROUNDS = 5
CUT_OFF_S = 8.0
PAUSED_S = 60.0
WORKER_GONE_WITHIN_S = 20.0
NAMES = ("web", "first", "second", "redis")


@dataclass(frozen=True)
class Spread:
    """The hosts, and the processes on each."""

    hosts: dict[str, NetworkHost]
    processes: dict[str, list[Process]]

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes of a host."""
        for process in self.processes[name]:
            process.send(number)


@fault(41, "hosts apart, their clocks 5 s apart, 5 % of packets lost")
async def packets_lost(trial: Trial) -> None:
    async with spread(trial) as site, trial.group() as clients:
        trial.fault_started()
        for name in NAMES:
            site.hosts[name].lose_packets(PACKET_LOSS)
        for _ in range(ROUNDS):
            await clients.ask_each()
        for name in NAMES:
            site.hosts[name].reconnect()
        trial.fault_ended()
        await trial.recovered(clients)
    assert_only_a_pause(trial, clients)


@fault(42, "a host cut off for 8 s: web, a worker, Redis, the model", times=4)
async def host_cut_off(trial: Trial) -> None:
    async with spread(trial) as site, trial.group() as clients, clients.conversing():
        workers = [site.hosts["first"], site.hosts["second"]]
        model = [site.hosts["test"]]
        for hosts, others in (
            ([site.hosts["web"]], []),
            (workers[:1], []),
            ([site.hosts["redis"]], []),
            (workers, model),
        ):
            await clients.in_mid_reply()
            trial.fault_started()
            for host in hosts:
                host.cut_off(*others)
            await asyncio.sleep(CUT_OFF_S)
            for host in hosts:
                host.reconnect()
            trial.fault_ended()
            await trial.recovered(clients)
    assert_only_a_pause(trial, clients)


@fault(43, "a worker's host paused for 60 s", order="early")
async def host_paused(trial: Trial) -> None:
    """The other worker takes over; what the paused one does when it continues is refused."""
    async with spread(trial) as site, trial.group() as clients, clients.conversing():
        trial.fault_started()
        site.send("first", signal.SIGSTOP)
        await trial.recovered(clients)
        assert trial.recovery_s is not None
        assert trial.recovery_s < WORKER_GONE_WITHIN_S * trial.slowness, trial.recovery_s
        await asyncio.sleep(trial.fault_started_at + PAUSED_S - time.monotonic())
        site.send("first", signal.SIGCONT)
        await clients.in_mid_reply()
    assert_only_a_pause(trial, clients)


def assert_only_a_pause(trial: Trial, clients: ClientGroup) -> None:
    assert trial.counts.failed == 0
    assert not any(client.expired.is_set() or client.view.resets for client in clients.clients)
    assert not any(sent.lost_after_acceptance for sent in clients.sent())


@asynccontextmanager
async def spread(trial: Trial) -> AsyncIterator[Spread]:
    """Run the site's parts on hosts of their own; clients reach the web host through a proxy."""
    site = trial.site
    with network(*NAMES) as hosts:
        await site.in_thread(site.stack.close)
        folder = site.data / "spread"
        folder.mkdir()
        place = Host(hosts["redis"].address, hosts["redis"].prefix)
        redis = SentinelGroup(folder, hosts=(place,))
        site.model.__exit__()
        site.model = ModelStub(host=hosts["test"].address)
        site.model.__enter__()
        site.model.always(WRITES_SLOWLY)
        try:
            await site.in_thread(redis.__enter__)
            [server] = redis.servers
            environment = {
                "REDIS_URL": f"redis://:{PASSWORD}@{server.host}:{server.port}/0",
                "MODEL_URL": site.model.endpoint("huggingface"),
            }
            processes = await start(site, hosts, environment)
            processes["redis"] = [server.running]
            web = hosts["web"].address, site.web.port
            proxy = Proxy(lambda: web)
            proxy.port = site.web.port
            async with proxy:
                yield Spread(hosts, processes)
        finally:
            await site.in_thread(site.stack.close)
            await site.in_thread(redis.__exit__, None, None, None)


async def start(
    site: Site, hosts: dict[str, NetworkHost], environment: dict[str, str]
) -> dict[str, list[Process]]:
    """Start web, workers and beat on their hosts; return the processes by host."""
    commands = procfile_commands(ROOT / "Procfile")
    server = WEB_SERVERS[os.environ.get("TEST_WEB_SERVER", "daphne")]
    web, first, second = hosts["web"], hosts["first"], hosts["second"]
    port = site.stack.environment["PORT"]
    command = server.replace("127.0.0.1", web.address)
    assert web.address in command
    serving = await site.in_thread(site.stack.run, "web", f"{web.prefix} {command}", environment)
    ahead = environment | shifted_clock(CLOCK_AHEAD_S)
    workers = [
        await site.in_thread(
            site.stack.run, "worker", f"{first.prefix} {commands['worker']}", ahead
        ),
        await site.in_thread(
            site.stack.run, "worker", f"{second.prefix} {commands['worker']}", environment
        ),
    ]
    beat = await site.in_thread(
        site.stack.run, "beat", f"{second.prefix} {commands['beat']}", environment
    )
    url = f"http://{web.address}:{port}/test"
    await site.in_thread(serving.wait_until, partial(is_serving, url), "to serve")
    for worker in workers:
        await site.in_thread(worker.wait_until, partial(is_ready, worker), "to be ready")
    return {"web": [serving], "first": workers[:1], "second": [workers[1], beat]}


def is_ready(worker: Process) -> bool:
    return " ready." in worker.output()
