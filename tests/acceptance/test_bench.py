"""Every measurement of `make bench` runs; what it measures is for a quiet machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import names
from tests.processes import ROOT

# They need minutes whatever their size, and the parts of the page have tests of their own.
LONG = {"admin", "attacks", "embedded", "page", "stop"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(names()) - LONG))
def test_a_measurement_runs_and_stores_figures(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--smoke-test", "--rounds", "2"]
    result = subprocess.run(
        [*command, "--folder", str(tmp_path), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    [path] = tmp_path.glob("*.json")
    measured = json.loads(path.read_text())["measurements"][name]
    assert measured["figures"] or measured["lines"]
