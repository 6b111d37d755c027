"""Faults of RabbitMQ as the broker: more rows 11."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chat.observability.health import ACCEPTS_NOTHING, UNREACHABLE
from tests.faults.redis_faults import talk_without_broker
from tests.faults.site import Site
from tests.faults.trial import CannotRunHere, Trial, fault
from tests.rabbitmq import PROGRAMS, RabbitMQ

AWAY_S = 3.0


@fault(11, "RabbitMQ killed and started again")
async def rabbitmq_killed(trial: Trial) -> None:
    site = trial.site
    async with _rabbitmq(site) as broker, trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            trial.fault_started()
            await site.in_thread(broker.kill)
            assert (await site.readiness())[1]["broker"] == UNREACHABLE
            await asyncio.sleep(AWAY_S)
            await site.in_thread(broker.start)
            trial.fault_ended()
            await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(11, "RabbitMQ frozen")
async def rabbitmq_frozen(trial: Trial) -> None:
    async with _rabbitmq(trial.site) as broker, trial.group() as group:
        broker.process.send(signal.SIGSTOP)
        await talk_without_broker(trial, group)
        broker.process.send(signal.SIGCONT)
        trial.fault_ended()
        await trial.recovered(group)
        await trial.site.until_ready()
    assert trial.counts.failed == 0


@fault(11, "RabbitMQ out of memory, so that it accepts no messages")
async def rabbitmq_full(trial: Trial) -> None:
    site = trial.site
    async with _rabbitmq(site) as broker, trial.group() as group:
        await site.in_thread(broker.fill_memory)
        await talk_without_broker(trial, group, state=ACCEPTS_NOTHING)
        await site.in_thread(broker.free_memory)
        trial.fault_ended()
        await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@asynccontextmanager
async def _rabbitmq(site: Site) -> AsyncIterator[RabbitMQ]:
    """Connect Celery to a RabbitMQ; the store and the channel layer stay on Redis."""
    if not PROGRAMS.is_dir():
        raise CannotRunHere("RabbitMQ is not installed")
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as folder:
        broker = await site.in_thread(RabbitMQ, Path(folder))
        try:
            await site.in_thread(broker.start)
            await site.restart(CELERY_BROKER_URL=broker.url)
            yield broker
        finally:
            await site.in_thread(broker.close)
