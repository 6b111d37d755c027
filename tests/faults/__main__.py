"""`python -m tests.faults [NUMBER …]`: run the rows, print the report and store it in var/.

The exit status is 1 if a row failed or was skipped; with `--allow-skipped` only if one failed.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from tests.faults.catalogue import catalogue
from tests.faults.host_faults import small_disk
from tests.faults.report import Line, exit_status, table
from tests.faults.site import Site, running_site
from tests.faults.trial import CannotRunHere, Fault, Trial
from tests.faults.verification import Counts
from tests.processes import ROOT, last_lines

logger = logging.getLogger(__name__)

SESSIONS = 20
CONCURRENT_FAULTS = 3
ROW_TIMEOUT_S = 280
ALL_TIMEOUT_S = 22 * 60


async def main(faults: list[Fault], sessions: int) -> list[Line]:
    """Run each fault on a site of its own, CONCURRENT_FAULTS at a time."""
    lines: list[Line] = []
    ends_at = time.monotonic() + ALL_TIMEOUT_S

    async def run_in_turn(waiting: deque[Fault]) -> None:
        while waiting:
            fault = waiting.popleft()
            started_at = time.monotonic()
            line = await run(fault, sessions, ends_at - started_at)
            lines.append(line)
            took_s = time.monotonic() - started_at
            show(f"{fault.number:2} {fault.title}: {line.result} ({took_s:.0f} s)")

    together = deque(fault for fault in faults if fault.order == "early")
    together += (fault for fault in faults if fault.order == "any")
    await asyncio.gather(*(run_in_turn(together) for _ in range(CONCURRENT_FAULTS)))
    await run_in_turn(deque(fault for fault in faults if fault.order == "alone"))
    return sorted(lines, key=lambda line: (line.number, line.fault))


async def run(fault: Fault, sessions: int, timeout_s: float) -> Line:
    """Run one fault on a site of its own; return its line, also for a fault that fails."""
    not_run = Line(fault.number, fault.title, 0, Counts(), None)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(timeout_s):
                if fault.disk_bytes:
                    await stack.enter_async_context(small_disk(Path(folder), fault.disk_bytes))
                site = running_site(Path(folder), **fault.environment)
                return await run_on(await stack.enter_async_context(site), fault, sessions)
        except CannotRunHere as skip_reason:
            return replace(not_run, skip_reason=str(skip_reason))
        except Exception as error:
            logger.exception("%s", fault.title)
            return replace(not_run, failure=f"{type(error).__name__}: {error}")


async def run_on(site: Site, fault: Fault, sessions: int) -> Line:
    """Run one fault on a running site."""
    trial, failure = Trial(site, sessions, fault.times), ""
    try:
        async with asyncio.timeout(ROW_TIMEOUT_S):
            await fault.run(trial)
    except CannotRunHere:
        raise
    except Exception as error:
        logger.exception("%s", fault.title)
        failure = f"{type(error).__name__}: {error}"
        keep_logs(fault, last_lines(site.stack.processes, 400))
    counts, recovery_s = trial.counts, trial.recovery_s
    return Line(
        fault.number, fault.title, trial.times, counts, recovery_s, failure, note=trial.note
    )


def keep_logs(fault: Fault, logs: dict[str, str]) -> None:
    """Store the output of the processes of a failed row."""
    for name, text in logs.items():
        path = ROOT / "var" / "faults" / f"{fault.number:02}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("numbers", type=int, nargs="*", help="only these rows")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument(
        "--allow-skipped", action="store_true", help="do not fail for rows this machine cannot run"
    )
    options = parser.parse_args()
    wanted = [one for one in catalogue() if not options.numbers or one.number in options.numbers]
    found = asyncio.run(main(wanted, options.sessions))
    report = table(found)
    path = ROOT / "var" / f"faults-{os.environ.get('TEST_WEB_SERVER', 'daphne')}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(report)
    show(f"\n{path}:\n\n{report}")
    sys.exit(exit_status(found, allow_skipped=options.allow_skipped))
