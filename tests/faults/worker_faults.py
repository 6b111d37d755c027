"""Faults of the workers and their tasks: rows 1 to 6."""

import asyncio
import signal
import time
from functools import partial
from pathlib import Path

from tests.faults.client import ResilientClient
from tests.faults.client_group import ClientGroup
from tests.faults.trial import Trial, fault
from tests.model_stub import Behaviour

LEASE_S = 2.5
ANSWERED_WITHIN_S = 5.0
ACCEPTED_WITHIN_S = 1.0
EXIT_WITHIN_S = 10.0
OUTAGE_S = 60.0
LONG_REPLIES = Behaviour(piece_delay_s=0.3, times=None)
POINTS = {"DJANGO_SETTINGS_MODULE": "tests.faults.fault_points"}


@fault(1, "worker killed in mid-reply", times=2)
async def worker_killed_in_mid_reply(trial: Trial) -> None:
    site = trial.site
    async with trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            trial.fault_started()
            await site.in_thread(site.workers[0].kill)
            await trial.recovered(group)
            await site.in_thread(site.stack.start_worker)
    assert trial.counts.failed == 0
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
    async with trial.group() as group:
        for worker in site.workers:
            await site.in_thread(worker.kill)
        started_at = time.monotonic()
        for _ in range(3):
            await asyncio.gather(*(client.send_next() for client in group.clients))
        trial.fault_started()
        await _all_accepted(group)
        assert max(_accept_s(group)) < ACCEPTED_WITHIN_S * trial.slowness
        await asyncio.sleep(OUTAGE_S - (time.monotonic() - started_at))
        assert (await site.readiness())[1]["worker"] != "ok"
        await site.in_thread(site.stack.start_worker)
        trial.fault_ended()
        await trial.recovered(group)
        await site.until_ready()
    assert trial.counts.failed == 0


@fault(3, "worker stopped in mid-reply (SIGTERM)", times=2)
async def worker_ends(trial: Trial) -> None:
    site, exit_s = trial.site, []
    site.model.always(LONG_REPLIES)
    async with trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await site.in_thread(site.stack.start_worker)
            await group.in_mid_reply()
            trial.fault_started()
            status = await site.in_thread(site.workers[0].kill, signal.SIGTERM)
            exit_s.append(time.monotonic() - trial.fault_started_at)
            await trial.recovered(group)
            assert status == 0, f"exit status {status}"
    assert max(exit_s) < EXIT_WITHIN_S * trial.slowness, exit_s
    assert trial.counts.failed == 0


@fault(4, "every task delivered three times at the same moment", times=100)
async def task_delivered_twice(trial: Trial) -> None:
    celery = trial.site.celery
    async with trial.group() as group:
        for _ in range(trial.times // trial.sessions):
            await asyncio.gather(*(client.send_next() for client in group.clients))
            for client in group.clients:
                session = trial.site.document_id(client.token)
                for _ in range(2):
                    await trial.site.in_thread(celery.send_task, "chat.tasks.answer", [session])
            await group.settle()
    assert trial.counts.failed == 0
    prompts = len(trial.site.model.requests)
    assert prompts == trial.counts.accepted, f"{prompts} prompts for {trial.counts.accepted}"


@fault(5, "worker paused until its leases expire, then resumed", times=2)
async def worker_frozen(trial: Trial) -> None:
    async with trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            worker = trial.site.workers[0]
            trial.fault_started()
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(2 * LEASE_S)
            worker.send(signal.SIGCONT)
            await trial.recovered(group)
    assert trial.counts.failed == 0


@fault(6, "every fifth task lost", environment=POINTS)
async def tasks_lost(trial: Trial) -> None:
    data = Path(trial.site.stack.environment["DATA_DIR"])
    async with trial.group() as group:
        (data / "lose-tasks").touch()
        trial.fault_started()
        for _ in range(5):
            await group.ask_each()
        (data / "lose-tasks").unlink()
    trial.times = len((data / "lost-tasks").read_text())
    assert trial.times > trial.sessions / 2
    assert trial.counts.failed == 0


async def _die_at(trial: Trial, point: str) -> None:
    site = trial.site
    armed = Path(site.stack.environment["DATA_DIR"], point)
    async with trial.group() as group, group.conversing():
        for _ in range(trial.times):
            await group.in_mid_reply()
            trial.fault_started()
            armed.touch()
            async with asyncio.timeout(30):
                while len(site.workers) > 1:
                    await asyncio.sleep(0.02)
            trial.fault_started()
            await trial.recovered(group)
            await site.in_thread(site.stack.start_worker)
    assert trial.counts.failed == 0
    assert max(trial.recoveries_s) < ANSWERED_WITHIN_S * trial.slowness, trial.recoveries_s


async def _all_accepted(group: ClientGroup) -> None:
    for client in group.clients:
        await client.wait_until(partial(_is_all_accepted, client))


def _is_all_accepted(client: ResilientClient) -> bool:
    return all(sent.accepted_at for sent in client.sent)


def _accept_s(group: ClientGroup) -> list[float]:
    return [(sent.accepted_at or float("inf")) - sent.sent_at for sent in group.sent()]
