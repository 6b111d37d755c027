"""Faults of the workers and their tasks: rows 1 to 6."""

import asyncio
import signal
import time
from functools import partial
from pathlib import Path

from tests.faults.client import Client
from tests.faults.crowd import Crowd
from tests.faults.trial import Trial, fault
from tests.model_stub import Behaviour

LEASE_S = 2.5
ANSWERED_WITHIN_S = 5.0
ACCEPTED_WITHIN_S = 1.0
GONE_WITHIN_S = 10.0
OUTAGE_S = 60.0
LONG_REPLIES = Behaviour(piece_delay_s=0.3, times=None)
POINTS = {"DJANGO_SETTINGS_MODULE": "tests.faults.fault_points"}


@fault(1, "worker killed in mid-reply", times=2)
async def worker_killed_in_mid_reply(trial: Trial) -> None:
    site = trial.site
    async with trial.crowd() as crowd, crowd.talking():
        for _ in range(trial.times):
            await crowd.in_mid_reply()
            trial.broke()
            await site.do(site.workers[0].kill)
            await trial.recovered(crowd)
            await site.do(site.stack.start_worker)
    assert trial.tally.failed == 0
    assert max(trial.recoveries_s) < ANSWERED_WITHIN_S * trial.slowness, trial.recoveries_s


@fault(1, "worker dies before the commit", times=2, environment=POINTS)
async def worker_dies_before_commit(trial: Trial) -> None:
    await _die_at(trial, "die-before-commit")


@fault(1, "worker dies during the commit", times=2, environment=POINTS)
async def worker_dies_during_commit(trial: Trial) -> None:
    await _die_at(trial, "die-during-commit")


@fault(1, "worker dies after the commit", times=2, environment=POINTS)
async def worker_dies_after_commit(trial: Trial) -> None:
    await _die_at(trial, "die-after-commit")


@fault(2, "all workers down for a minute", environment={"REPLY_DEADLINE_S": "240"})
async def no_workers(trial: Trial) -> None:
    site = trial.site
    async with trial.crowd() as crowd:
        for worker in site.workers:
            await site.do(worker.kill)
        begun = time.monotonic()
        for _ in range(3):
            await asyncio.gather(*(client.say() for client in crowd.clients))
        trial.broke()
        await _all_accepted(crowd)
        assert max(_accept_s(crowd)) < ACCEPTED_WITHIN_S * trial.slowness
        await asyncio.sleep(OUTAGE_S - (time.monotonic() - begun))
        assert (await site.readiness())[1]["worker"] != "ok"
        await site.do(site.stack.start_worker)
        trial.mended()
        await trial.recovered(crowd)
        await site.until_ready()
    assert trial.tally.failed == 0


@fault(3, "worker told to end in mid-reply (SIGTERM)", times=2)
async def worker_ends(trial: Trial) -> None:
    site, ends_s = trial.site, []
    site.model.always(LONG_REPLIES)
    async with trial.crowd() as crowd, crowd.talking():
        for _ in range(trial.times):
            await site.do(site.stack.start_worker)
            await crowd.in_mid_reply()
            trial.broke()
            status = await site.do(site.workers[0].kill, signal.SIGTERM)
            ends_s.append(time.monotonic() - trial.broken_at)
            await trial.recovered(crowd)
            assert status == 0, f"ended with {status}"
    assert max(ends_s) < GONE_WITHIN_S * trial.slowness, ends_s
    assert trial.tally.failed == 0


@fault(4, "every task delivered three times at the same moment", times=100)
async def task_delivered_twice(trial: Trial) -> None:
    celery = trial.site.celery
    async with trial.crowd() as crowd:
        for _ in range(trial.times // trial.sessions):
            await asyncio.gather(*(client.say() for client in crowd.clients))
            for client in crowd.clients:
                session = trial.site.document_id(client.token)
                for _ in range(2):
                    await trial.site.do(celery.send_task, "chat.tasks.answer", [session])
            await crowd.settle()
    assert trial.tally.failed == 0
    prompts = len(trial.site.model.requests)
    assert prompts == trial.tally.accepted, f"{prompts} prompts for {trial.tally.accepted}"


@fault(5, "worker frozen past its leases, then let go", times=2)
async def worker_frozen(trial: Trial) -> None:
    async with trial.crowd() as crowd, crowd.talking():
        for _ in range(trial.times):
            await crowd.in_mid_reply()
            worker = trial.site.workers[0]
            trial.broke()
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(2 * LEASE_S)
            worker.send(signal.SIGCONT)
            await trial.recovered(crowd)
    assert trial.tally.failed == 0


@fault(6, "every fifth task lost", environment=POINTS)
async def tasks_lost(trial: Trial) -> None:
    data = Path(trial.site.stack.environment["DATA_DIR"])
    async with trial.crowd() as crowd:
        (data / "lose-tasks").touch()
        trial.broke()
        for _ in range(5):
            await crowd.each_says_and_hears()
        (data / "lose-tasks").unlink()
    trial.times = len((data / "lost-tasks").read_text())
    assert trial.times > trial.sessions / 2
    assert trial.tally.failed == 0


async def _die_at(trial: Trial, point: str) -> None:
    site = trial.site
    armed = Path(site.stack.environment["DATA_DIR"], point)
    async with trial.crowd() as crowd, crowd.talking():
        for _ in range(trial.times):
            await crowd.in_mid_reply()
            trial.broke()
            armed.touch()
            async with asyncio.timeout(30):
                while len(site.workers) > 1:
                    await asyncio.sleep(0.02)
            trial.broke()
            await trial.recovered(crowd)
            await site.do(site.stack.start_worker)
    assert trial.tally.failed == 0
    assert max(trial.recoveries_s) < ANSWERED_WITHIN_S * trial.slowness, trial.recoveries_s


async def _all_accepted(crowd: Crowd) -> None:
    for client in crowd.clients:
        await client.until(partial(_is_all_accepted, client))


def _is_all_accepted(client: Client) -> bool:
    return all(sent.accepted_at for sent in client.sent)


def _accept_s(crowd: Crowd) -> list[float]:
    return [(sent.accepted_at or float("inf")) - sent.sent_at for sent in crowd.sent()]
