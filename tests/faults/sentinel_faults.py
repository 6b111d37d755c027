"""Faults of the primary behind three Sentinels, for store, broker and layer: rows 31 to 33."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.client_group import ClientGroup
from tests.faults.hosts import NetworkHost, network
from tests.faults.trial import Trial, fault
from tests.sentinels import LOOPBACK, Host, Member, SentinelGroup

FROZEN_S = 15.0
CUT_OFF_S = 15.0
# Sentinels need a second to notice and about two to agree; the rest is for a busy machine.
FAILOVER_WITHIN_S = 20.0
HOSTS = ("one", "two", "three")
SAFE = "min-replicas-to-write 1\nmin-replicas-max-lag 2"


@fault(31, "primary killed, three times in a row", times=3)
async def primary_killed(trial: Trial) -> None:
    site = trial.site
    async with servers(trial) as group, trial.group() as clients, clients.conversing():
        for _ in range(trial.times):
            await clients.in_mid_reply()
            before = await primary_of(trial, group)
            trial.fault_started()
            await site.in_thread(before.running.kill)
            await trial.recovered(clients)
            await site.in_thread(before.start)
            await site.in_thread(group.until_complete)
    assert_only_a_pause(trial, clients)


@fault(32, "primary frozen for 15 s")
async def primary_frozen(trial: Trial) -> None:
    site = trial.site
    async with servers(trial) as group, trial.group() as clients, clients.conversing():
        before = await primary_of(trial, group)
        trial.fault_started()
        before.running.send(signal.SIGSTOP)
        await trial.recovered(clients)
        await until(trial.fault_started_at + FROZEN_S)
        before.running.send(signal.SIGCONT)
        await site.in_thread(group.until_complete)
    assert_only_a_pause(trial, clients)


@fault(33, "primary's host cut off for 15 s")
async def primary_cut_off(trial: Trial) -> None:
    with network(*HOSTS) as hosts:
        async with servers(trial, hosts) as group, trial.group() as clients, clients.conversing():
            await cut_off(trial, group, clients, host_of(hosts, await primary_of(trial, group)))
        assert_only_a_pause(trial, clients)


@fault(33, "primary cut off from its replicas only, without STORE_MIN_REPLICAS: losses are counted")
async def primary_without_replicas_unsafe(trial: Trial) -> None:
    """Web and workers go on with a primary that the Sentinels have replaced."""
    with network(*HOSTS) as hosts:
        async with (
            servers(trial, hosts, min_replicas=0) as group,
            ClientGroup(trial.site, trial.sessions) as clients,
            clients.conversing(),
        ):
            host = host_of(hosts, await primary_of(trial, group))
            others = [each for name, each in hosts.items() if name in HOSTS and each != host]
            trial.fault_started()
            host.cut_off(*others)
            await until(trial.fault_started_at + CUT_OFF_S)
            host.reconnect()
            await trial.site.in_thread(group.until_complete)
        lost, sent = lost_messages(clients), len(clients.sent())
        trial.note = f"{lost} of {sent} accepted messages were lost, and sent again by the clients"


async def cut_off(
    trial: Trial,
    group: SentinelGroup,
    clients: ClientGroup,
    host: NetworkHost,
) -> None:
    """Cut a host off from everybody until the clients have recovered."""
    trial.fault_started()
    host.cut_off()
    await trial.recovered(clients)
    await until(trial.fault_started_at + CUT_OFF_S)
    host.reconnect()
    await trial.site.in_thread(group.until_complete)


@asynccontextmanager
async def servers(
    trial: Trial, hosts: dict[str, NetworkHost] | None = None, *, min_replicas: int = 1
) -> AsyncIterator[SentinelGroup]:
    """Let the site use three servers behind Sentinels for everything, each on a host."""
    site = trial.site
    places = [Host(hosts[name].address, hosts[name].prefix) for name in HOSTS] if hosts else ()
    folder = site.data / "sentinels"
    folder.mkdir()
    group = SentinelGroup(
        folder, hosts=places or (LOOPBACK,) * 3, more=SAFE if min_replicas else ""
    )
    try:
        await site.in_thread(group.__enter__)
        await site.restart(REDIS_URL=group.url, STORE_MIN_REPLICAS=str(min_replicas))
        yield group
    finally:
        # Web and workers end before the servers that they use.
        await site.in_thread(site.stack.close)
        await site.in_thread(group.__exit__, None, None, None)


async def primary_of(trial: Trial, group: SentinelGroup) -> Member:
    return await trial.site.in_thread(lambda: group.primary)


def host_of(hosts: dict[str, NetworkHost], member: Member) -> NetworkHost:
    return next(each for each in hosts.values() if each.address == member.host)


async def until(instant: float) -> None:
    await asyncio.sleep(max(0.0, instant - time.monotonic()))


def assert_only_a_pause(trial: Trial, clients: ClientGroup) -> None:
    """Fail if a client saw more than a pause, or lost a message that was accepted."""
    assert lost_messages(clients) == 0, f"{lost_messages(clients)} accepted messages were lost"
    assert not any(client.expired.is_set() or client.view.resets for client in clients.clients)
    assert trial.counts.failed == 0
    assert max(trial.recoveries_s) < FAILOVER_WITHIN_S * trial.slowness, trial.recoveries_s


def lost_messages(clients: ClientGroup) -> int:
    """Return how often a message vanished that the server had accepted."""
    return sum(sent.lost_after_acceptance for sent in clients.sent())
