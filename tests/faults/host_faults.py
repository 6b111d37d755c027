"""Faults of the host: its clock, its database, its disk: rows 17 and 18."""

import asyncio
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.faults.site import Site
from tests.faults.trial import CannotRunHere, Trial, fault
from tests.faults.worker_faults import POINTS

HOUR_S = 3600
# libfaketime lets every time.sleep return at once, so these workers are slow.
SHIFTED_WITHIN_S = 20.0
DISK_BYTES = 32 * 1024 * 1024
BLOCK = b"x" * 4096


@fault(17, "clock of web and workers jumps by an hour, both ways", times=3, environment=POINTS)
async def clock_jumps(trial: Trial) -> None:
    """Redis' clock stays right. Nothing depends on the others."""
    clock = trial.site.data / "clock"
    clock.write_text("0")
    await trial.site.restart()
    async with trial.group() as group:
        async with group.conversing():
            for jump_s in (HOUR_S, 0, -HOUR_S):
                await group.in_mid_reply()
                trial.fault_started()
                clock.write_text(str(jump_s))
                await trial.recovered(group)
                assert (await trial.site.readiness())[0] == 200
        assert not any(client.expired.is_set() or client.view.resets for client in group.clients)
        assert not any(client.closes for client in group.clients), "the jump closed sockets"
    assert trial.counts.failed == 0


@fault(17, "workers' clocks apart by 5 s and by an hour, a worker killed", times=2)
async def clocks_apart(trial: Trial) -> None:
    """libfaketime shifts the clock of whole processes, not only Python's."""
    site = trial.site
    async with trial.group() as group, group.conversing():
        for shift_s in (5, -HOUR_S)[: trial.times]:
            clock = shifted_clock(shift_s)
            for worker in site.workers:
                await site.in_thread(worker.stop)
                await site.in_thread(partial(site.stack.start_worker, **clock))
            await group.in_mid_reply()
            trial.fault_started()
            await site.in_thread(site.workers[0].kill)
            await trial.recovered(group)
            assert (await site.readiness())[0] == 200
            await site.in_thread(partial(site.stack.start_worker, **clock))
    assert trial.counts.failed == 0
    assert max(trial.recoveries_s) < SHIFTED_WITHIN_S * trial.slowness, trial.recoveries_s


def shifted_clock(seconds: int) -> dict[str, str]:
    """Return the environment of a process whose wall clock is shifted."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise CannotRunHere("libfaketime")
    shifted = {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{seconds:+}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    now = subprocess.check_output(["date", "+%s"], env=shifted)
    assert abs(int(now) - time.time() - seconds) < 2, "the clock is not shifted"
    return shifted


@fault(18, "SQLite locked")
async def database_locked(trial: Trial) -> None:
    database = sqlite3.connect(trial.site.data / "database.sqlite3")
    async with trial.group() as group:
        async with group.conversing():
            trial.fault_started()
            database.execute("BEGIN EXCLUSIVE")
            await trial.recovered(group)
            await group.join()
            assert (await trial.site.readiness())[0] == 200
            page = await trial.site.in_thread(trial.site.request, "GET", "/")
            assert page.status_code == 200
        await group.ask_each()
        database.rollback()
    database.close()
    assert trial.counts.failed == 0


@fault(18, "disk full under DATA_DIR", disk_bytes=DISK_BYTES)
async def disk_full(trial: Trial) -> None:
    """Writes are refused, histories can be read, and the site recovers without a restart."""
    site = trial.site
    async with trial.group() as group:
        filler = site.data / "filler"
        await site.in_thread(fill, filler)
        await _until_refused(trial.site)
        for client in group.clients:
            await client.send_next()
            await client.wait_until(partial(len, client.errors))
        trial.fault_started()
        for client in group.clients:
            assert len(await site.history(client.token)) >= 2
        assert (await site.readiness())[1]["redis"].startswith("refuses writes")
        filler.unlink()
        trial.fault_ended()
        await trial.recovered(group)
        await site.until_ready()
        await group.ask_each()
    assert trial.counts.failed == 0


async def _until_refused(site: Site) -> None:
    """Send requests until one fails: Redis fills the last block of its file first."""
    async with asyncio.timeout(60):
        while (await site.in_thread(site.request, "POST", "/token", params={"name": "Ada"})).ok:
            pass


def fill(path: Path) -> None:
    """Write to the disk until nothing fits."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(BLOCK):
                pass
        except OSError:
            return


@asynccontextmanager
async def small_disk(folder: Path, size_bytes: int) -> AsyncIterator[None]:
    """Mount a file system of this size on a folder; raises CannotRunHere."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    if (await asyncio.to_thread(subprocess.run, mount, capture_output=True)).returncode:
        raise CannotRunHere("mounting a small disk needs root")
    try:
        yield
    finally:
        await asyncio.to_thread(subprocess.run, ["umount", str(folder)], check=False)
