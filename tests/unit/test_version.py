"""`manage.py version` prints the version of the project, also without valid settings."""

import subprocess
import sys

import pytest

from chatproject import VERSION
from tests.processes import ROOT


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_the_version_is_printed(argument: str) -> None:
    command = [sys.executable, "manage.py", argument]
    process = subprocess.run(
        command, cwd=ROOT, env={"PORT": "none"}, capture_output=True, text=True, timeout=60
    )
    assert process.stdout.startswith(f"chat {VERSION} (Django ")


def test_the_changelog_names_the_version_or_what_is_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{VERSION}]" in changelog or "## [Unreleased]" in changelog
