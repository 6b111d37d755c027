"""The systemd units that the project ships, parsed."""

import shlex
from configparser import ConfigParser
from pathlib import Path

from tests.processes import ROOT

UNITS = ROOT / "deploy" / "systemd"
INSTALLED = "/opt/chat"
PROGRAMS = f"{INSTALLED}/.venv/bin/"


def commands(unit: str, instance: str = "") -> list[str]:
    """Return a service's commands as shell commands that run in a checkout."""
    lines = (UNITS / f"{unit}.service").read_text().splitlines()
    values = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    return [shlex.join(words(value, instance)) for value in values]


def words(command: str, instance: str) -> list[str]:
    """Return a command's words with systemd's specifiers replaced; programs come from PATH."""
    parts = shlex.split(command)
    assert parts[0].startswith(PROGRAMS)
    parts[0] = parts[0].removeprefix(PROGRAMS)
    return [part.replace("%i", instance).replace("%%", "%") for part in parts]


def setting(unit: str, section: str, name: str) -> str:
    """Return a value of a unit file, which may set others more than once."""
    parser = ConfigParser(strict=False, interpolation=None, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((UNITS / unit).read_text())
    return parser[section][name]


def files() -> list[Path]:
    """Return the unit files and their drop-ins."""
    return [path for path in sorted(UNITS.rglob("*")) if path.is_file()]
