"""Prometheus accepts the rules: alerts fire when they should, and the autoscaler has a figure."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring" / "alerts.yml"
CASES = Path(__file__).with_name("alert_rules.yml")


@pytest.mark.parametrize("command", [("check", RULES), ("test", CASES)], ids=["check", "test"])
def test_the_rules_are_valid_and_fire_as_expected(command: tuple[str, Path]) -> None:
    verb, file = command
    run_promtool(verb, "rules", str(file))


def test_workers_are_scaled_by_the_time_that_messages_wait(tmp_path: Path) -> None:
    adapter = yaml.safe_load((ROOT / "deploy/kubernetes/prometheus-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["external"]
    record = {"record": "waiting", "expr": rule["metricsQuery"]}
    rules = {"groups": [{"name": "scaling", "interval": "15s", "rules": [record]}]}
    # No messages, then ten minutes in which most wait for one to three seconds, then none again.
    messages = {"1": "0x40 0+1x40 40x40", "3": "0x40 0+10x40 400x40", "+Inf": "0x40 0+10x40 400x40"}
    series = [
        {"series": f'{rule["seriesQuery"]}{{le="{bound}"}}', "values": values}
        for bound, values in messages.items()
    ]
    expected = [
        {
            "expr": "round(waiting, 0.1)",
            "eval_time": at,
            "exp_samples": [{"labels": "{}", "value": value}],
        }
        for at, value in {"5m": 0, "18m": 2.8, "28m": 0}.items()
    ]
    case = {"interval": "15s", "input_series": series, "promql_expr_test": expected}
    cases = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": [case]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases))
    run_promtool("test", "rules", str(tmp_path / "cases.yaml"))


def run_promtool(*arguments: str) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "run scripts/servers.sh"
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
