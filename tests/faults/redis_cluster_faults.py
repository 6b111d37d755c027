"""Faults of a Redis Cluster of three primaries and three replicas, as the store: more rows 8."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.crc import key_slot

from chat.store.redis_cluster.buckets import bucket_of, tags
from tests.faults.client_group import ClientGroup
from tests.faults.site import Site
from tests.faults.trial import Trial, fault
from tests.redis_cluster import Node, RedisCluster


@fault(8, "a primary of a Redis Cluster killed", times=2)
async def primary_killed(trial: Trial) -> None:
    site = trial.site
    async with _on_cluster(site) as cluster, trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            primary = await site.in_thread(cluster.primary_of, _slots(group)[0])
            trial.fault_started()
            await site.in_thread(primary.kill)
            await trial.recovered(group)
            # It comes back as a replica of the one that has replaced it.
            await site.in_thread(primary.start)
            await _until(cluster.is_ready)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(8, "slots of a Redis Cluster moved while their sessions talk")
async def slots_moved(trial: Trial) -> None:
    async with _on_cluster(trial.site) as cluster, trial.group() as group, group.conversing():
        await group.in_mid_reply()
        trial.fault_started()
        for slot in _slots(group):
            source = await trial.site.in_thread(cluster.primary_of, slot)
            target = next(node for node in cluster.nodes[:3] if node is not source)
            await trial.site.in_thread(cluster.move_slot, slot, target)
        trial.fault_ended()
        await trial.recovered(group)
        await trial.site.until_ready()
    assert trial.counts.failed == 0


@fault(8, "a node added to a Redis Cluster, and given slots")
async def node_added(trial: Trial) -> None:
    site = trial.site
    async with _on_cluster(site) as cluster, trial.group() as group, group.conversing():
        await group.in_mid_reply()
        trial.fault_started()
        added: Node = await site.in_thread(cluster.add_node)
        await _until(added.is_up)
        for slot in _slots(group)[::2]:
            await site.in_thread(cluster.move_slot, slot, added)
        trial.fault_ended()
        await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


def _slots(group: ClientGroup) -> list[int]:
    """Return the slots of the clients' sessions."""
    sessions = {group.site.document_id(client.token) for client in group.clients}
    return sorted({key_slot(tags()[bucket_of(session)].encode()) for session in sessions})


async def _until(condition: Callable[[], bool], within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _on_cluster(site: Site) -> AsyncIterator[RedisCluster]:
    """Let sessions be on a Redis Cluster; broker and channel layer stay on the site's Redis."""
    with tempfile.TemporaryDirectory(prefix="redis-cluster-") as folder:
        cluster = RedisCluster(Path(folder), primaries=3, replicas=3)
        try:
            await site.in_thread(cluster.__enter__)
            server = site.stack.redis_url
            await site.restart(
                REDIS_URL=cluster.url, CELERY_BROKER_URL=server, CHANNEL_REDIS_URL=server
            )
            yield cluster
        finally:
            await site.in_thread(cluster.__exit__, None, None, None)
