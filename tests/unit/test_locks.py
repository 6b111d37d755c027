"""The locks contain every requirement, with its version and the hashes of its files."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
REQUIREMENTS = {
    "requirements.lock": ("requirements.txt", "requirements-tracing.txt"),
    "requirements-embedded.lock": ("requirements-embedded.txt",),
    "requirements-node.lock": ("requirements-node.txt",),
    "requirements-dev.lock": (
        "requirements.txt",
        "requirements-tracing.txt",
        "requirements-dev.txt",
    ),
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;\\\n]+)", re.MULTILINE)


def pins(file: str) -> dict[str, str]:
    """Return the version of each package that a file pins."""
    found = PIN.findall((ROOT / file).read_text())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("lock", REQUIREMENTS)
def test_every_requirement_is_locked(lock: str) -> None:
    required: dict[str, str] = {}
    for file in REQUIREMENTS[lock]:
        required |= pins(file)
    assert required
    assert required.items() <= pins(lock).items(), "run `make lock`"


def test_tests_run_with_the_versions_of_the_image() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", REQUIREMENTS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = [part for part in re.split(r"\n(?=[a-z0-9])", text) if PIN.match(part)]
    assert len(packages) == len(PIN.findall(text))
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text
    assert "index" not in text.partition("\n")[0]


def test_only_the_locks_are_installed() -> None:
    scripts = [(ROOT / "scripts" / name).read_text() for name in ("install.sh", "node_modules.sh")]
    assert all("--require-hashes" in script for script in scripts)
    installed = {file for script in scripts for file in re.findall(r"-r (\S+)", script)}
    assert installed == set(REQUIREMENTS)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"pip install .*--require-hashes .*-r requirements\.lock$", dockerfile, re.M)
