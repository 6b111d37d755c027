"""Prometheus accepts the alert rules, and they fire when they should."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring" / "alerts.yml"
CASES = Path(__file__).with_name("alert_rules.yml")


@pytest.mark.parametrize("command", [("check", RULES), ("test", CASES)], ids=["check", "test"])
def test_the_rules_are_valid_and_fire_as_expected(command: tuple[str, Path]) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "run scripts/servers.sh"
    verb, file = command
    done = subprocess.run(
        [promtool, verb, "rules", file], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
