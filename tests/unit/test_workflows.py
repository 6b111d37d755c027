"""The workflows of GitHub Actions are valid, pinned, restricted, and run what the project has."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = {path.stem: path.read_text() for path in (ROOT / ".github" / "workflows").iterdir()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
CI_COMPOSE = yaml.safe_load((ROOT / ".github" / "compose.ci.yaml").read_text())
# YAML 1.1 reads the key `on` as true.
ON: Any = True


def jobs(workflow: str) -> dict[str, dict[str, Any]]:
    parsed: dict[str, dict[str, Any]] = yaml.safe_load(WORKFLOWS[workflow])["jobs"]
    return parsed


def commands(workflow: str) -> list[str]:
    """Return the lines of all steps that run commands."""
    steps = [step for job in jobs(workflow).values() for step in job.get("steps", [])]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def release_notes(version: str) -> subprocess.CompletedProcess[str]:
    program = ROOT / "scripts" / "release_notes.py"
    return subprocess.run([sys.executable, program, version], capture_output=True, text=True)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_follows_the_schema(workflow: str) -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "github-workflows.json"
    parsed = yaml.safe_load(WORKFLOWS[workflow])
    parsed["on"] = parsed.pop(ON)
    jsonschema.validate(parsed, json.loads(schema.read_text()))


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_actions_of_others_are_pinned_by_commit(workflow: str) -> None:
    used = re.findall(r"uses: (?!\./)(.*)$", WORKFLOWS[workflow], re.MULTILINE)
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in used)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_jobs_may_only_read_except_the_one_that_creates_the_release(workflow: str) -> None:
    assert yaml.safe_load(WORKFLOWS[workflow])["permissions"] == {}
    for name, job in jobs(workflow).items():
        allowed = "write" if (workflow, name) == ("release", "release") else "read"
        assert job["permissions"] == {"contents": allowed}


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_workflows_run_existing_targets_and_scripts(workflow: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in commands(workflow):
        for target in re.findall(r"\bmake ([\w-]+)", line):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        for script in re.findall(r"\bscripts/\S+", line):
            assert (ROOT / script).exists(), script


def test_every_supported_python_is_tested() -> None:
    versions = jobs("ci")["test"]["strategy"]["matrix"]["python"]
    assert versions[0] == PROJECT["requires-python"].removeprefix(">=")
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM python:(\d+\.\d+)-", dockerfile, re.MULTILINE)) <= {*versions}


def test_compose_is_started_with_the_settings_that_it_requires() -> None:
    lines = (ROOT / ".github" / "ci.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    required = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    assert required <= settings.keys()
    (up,) = [line for line in commands("ci") if "compose up" in line]
    started = up.partition("--wait-timeout 180 ")[2].split()
    assert set(started) <= {*COMPOSE["services"], *CI_COMPOSE["services"]}
    assert f"//{started[-1]}:" in settings["MODEL_URL"]


def test_the_changelog_has_the_notes_of_this_version() -> None:
    done = release_notes(PROJECT["version"])
    assert done.returncode == 0, done.stderr
    assert "\n### Added\n" in done.stdout
    assert "## [" not in done.stdout


def test_no_release_is_made_of_another_version() -> None:
    done = release_notes("99.0.0")
    assert done.returncode != 0
    assert "pyproject.toml has version" in done.stderr
