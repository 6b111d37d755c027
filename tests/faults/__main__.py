"""`python -m tests.faults [NUMBER …]`: run rows on each web server and print one table for each.

The tables are also stored in var/faults.md. TEST_WEB_SERVER selects one web server. The exit status
is 1 if a row failed.
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
from tests.faults.report import Line, report
from tests.faults.site import Site, running_site
from tests.faults.trial import CannotRunHere, Fault, Trial
from tests.faults.verification import Counts
from tests.processes import ROOT, last_lines

logger = logging.getLogger(__name__)

SESSIONS = 20
CONCURRENT_FAULTS = 3
ROW_TIMEOUT_S = 280
ALL_TIMEOUT_S = 14.5 * 60


async def run_all(faults: list[Fault], sessions: int, web_server: str) -> list[Line]:
    """Run the faults, each on a site of its own, CONCURRENT_FAULTS at a time."""
    lines: list[Line] = []
    ends_at = time.monotonic() + ALL_TIMEOUT_S

    async def run_in_turn(waiting: deque[Fault]) -> None:
        while waiting:
            fault = waiting.popleft()
            started_at = time.monotonic()
            line = await run(fault, sessions, ends_at - started_at)
            lines.append(line)
            result = "holds" if line.holds else "DOES NOT HOLD"
            took_s = time.monotonic() - started_at
            show(f"{fault.number:2} {fault.title}: {line.skip_reason or result} ({took_s:.0f} s)")

    concurrent = deque(fault for fault in faults if fault.order == "early")
    concurrent += (fault for fault in faults if fault.order == "any")
    await asyncio.gather(*(run_queued(concurrent) for _ in range(CONCURRENT_FAULTS)))
    await run_queued(deque(fault for fault in faults if fault.order == "alone"))
    return sorted(lines, key=lambda line: (line.number, line.fault))


async def run(fault: Fault, sessions: int, web_server: str, timeout_s: float) -> Line:
    """Run one fault on a site of its own. An exception is reported in the row's line."""
    not_run = Line(fault.number, fault.title, 0, Counts(), None)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(timeout_s):
                if fault.disk_bytes:
                    await stack.enter_async_context(small_disk(Path(folder), fault.disk_bytes))
                site = running_site(Path(folder), fault.environment, web_server)
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
    return Line(fault.number, fault.title, trial.times, trial.counts, trial.recovery_s, failure)


def store_logs(web_server: str, fault: Fault, logs: dict[str, str]) -> None:
    """Store the logs of the processes of a failed row."""
    for name, text in logs.items():
        path = ROOT / "var" / "faults" / f"{web_server}-{fault.number:02}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(numbers: list[int], sessions: int) -> int:
    """Run the rows with these numbers, or all rows; return the exit status."""
    faults = [fault for fault in catalogue() if not numbers or fault.number in numbers]
    if unknown := set(numbers) - {fault.number for fault in faults}:
        write_line(f"There is no row {', '.join(map(str, sorted(unknown)))}.")
        return 2
    selected = os.environ.get("TEST_WEB_SERVER")
    results: dict[str, list[Line]] = {}
    for web_server in [selected] if selected else WEB_SERVERS:
        results[web_server] = asyncio.run(run_all(faults, sessions, web_server))
    text = "\n".join(report(*result) for result in results.items())
    path = ROOT / "var" / "faults.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    write_line(f"\n{text}\n{path}")
    return 0 if all(line.passed for lines in results.values() for line in lines) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("numbers", type=int, nargs="*", help="only these rows")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    options = parser.parse_args()
    wanted = [one for one in catalogue() if not options.numbers or one.number in options.numbers]
    found = asyncio.run(main(wanted, options.sessions))
    report = table(found)
    path = ROOT / "var" / "faults.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(report)
    show(f"\n{report}\n{path}")
    sys.exit(0 if all(line.holds for line in found) else 1)
