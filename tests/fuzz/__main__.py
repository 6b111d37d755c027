"""`python -m tests.fuzz [SECONDS]`: fuzz for this long, ten minutes by default.

Half of the time goes to the targets in this process, equally. In the other half, the tests of the
web servers and of the page run again and again with new random seeds. The exit status is 1 if any
input failed. hypothesis stores it in `.hypothesis`, so that `make test` tries it first.
"""

import argparse
import os
import re
import subprocess
import sys
import time

from tests.fuzz.guided import ROOT, load_targets

SECONDS = 600
PROCESS_LOG = ROOT / "var" / "fuzz" / "processes.log"
EXAMPLES_PER_ROUND = 200
PROCESS_TESTS = (
    "tests/fuzz/test_http.py",
    "tests/fuzz/test_websocket.py",
    "tests/browser/test_markdown_fuzz.py",
)


def fuzz_target(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; return whether it held."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    output = run.stdout + run.stderr
    runs = re.search(r"number_of_executed_units: *(\d+)", output)
    result = "held" if run.returncode == 0 else "FAILED"
    show(f"{name}: {result}, {int(runs[1]) if runs else 0:,} inputs")
    if run.returncode:
        show(output[-5000:])
    return run.returncode == 0


def fuzz_processes(seconds: float) -> bool:
    """Run the tests of real processes until the time is up, at least once."""
    ends_at = time.monotonic() + seconds
    rounds, held = 0, True
    while held and (rounds == 0 or time.monotonic() < ends_at):
        seed = int.from_bytes(os.urandom(4))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"--hypothesis-seed={seed}",
            *PROCESS_TESTS,
        ]
        environment = os.environ | {"FUZZ_EXAMPLES": str(EXAMPLES_PER_ROUND)}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        rounds, held = rounds + 1, run.returncode == 0
        if not held:
            PROCESS_LOG.write_text(run.stdout)
            show(f"seed {seed}\n{run.stdout[-5_000:]}\n{PROCESS_LOG}")
    show(f"web servers and page: {'held' if held else 'FAILED'}, {rounds} rounds")
    return held


def show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(seconds: int) -> int:
    names = list(load_targets())
    each_s = max(1, seconds // 2 // len(names))
    results = [fuzz_target(name, each_s) for name in names]
    results.append(fuzz_processes(seconds / 2))
    return 0 if all(results) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("seconds", type=int, nargs="?", default=SECONDS)
    sys.exit(main(parser.parse_args().seconds))
