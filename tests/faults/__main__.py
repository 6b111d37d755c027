"""`python -m tests.faults [NUMBER …]`: run the rows, print the report and keep it in var/."""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.catalogue import catalogue
from tests.faults.report import Line, table
from tests.faults.site import running_site
from tests.faults.trial import Fault, Trial
from tests.processes import ROOT, tails

logger = logging.getLogger(__name__)

SESSIONS = 20
ROW_TIMEOUT_S = 300


async def main(faults: list[Fault], sessions: int) -> list[Line]:
    """Run the faults one after the other, each on a site of its own."""
    lines = []
    for fault in faults:
        begun = time.monotonic()
        lines.append(await run(fault, sessions))
        took_s = time.monotonic() - begun
        verdict = "holds" if lines[-1].holds else "DOES NOT HOLD"
        say(f"{fault.number:2} {fault.title}: {verdict} ({took_s:.0f} s)")
    return lines


async def run(fault: Fault, sessions: int) -> Line:
    """Run one fault; what goes wrong is a line of the report, not the end of it."""
    trouble = ""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        async with running_site(Path(folder), **fault.environment) as site:
            trial = Trial(site, sessions, fault.times)
            try:
                async with asyncio.timeout(ROW_TIMEOUT_S):
                    await fault.run(trial)
            except Exception as error:
                logger.exception("%s", fault.title)
                trouble = f"{type(error).__name__}: {error}"
                keep_logs(fault, tails(site.stack.processes, 400))
    return Line(fault.number, fault.title, fault.times, trial.tally, trial.recovery_s, trouble)


def keep_logs(fault: Fault, logs: dict[str, str]) -> None:
    """Keep what the processes of a failed row wrote."""
    for name, text in logs.items():
        path = ROOT / "var" / "faults" / f"{fault.number:02}-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


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
    say(f"\n{report}\n{path}")
    sys.exit(0 if all(line.holds for line in found) else 1)
