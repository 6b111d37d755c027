"""The systemd units are valid, restricted, and run the commands of the Procfile."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from chat.cli.processes import procfile_commands
from tests.processes import ROOT
from tests.systemd_units import INSTALLED, PROGRAMS, UNITS, commands, files, setting

COMPOSE = (ROOT / "compose.yaml").read_text()
PROCFILE = procfile_commands(ROOT / "Procfile.production")
PROCESSES = {"web": "chat-web@", "worker": "chat-worker@", "beat": "chat-beat"}
SERVICES = [*PROCESSES.values(), "chat-prepare", "chat-backup"]
LOADED = [f"{name}1.service" if name.endswith("@") else f"{name}.service" for name in SERVICES]
# systemd rates how much of the system a service can reach: 0.0 nothing, 10.0 everything.
HIGHEST_EXPOSURE = 1.5


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with the units, systemd's own ones and the programs that the units run."""
    root = tmp_path_factory.mktemp("root")
    units = root / "etc" / "systemd" / "system"
    shutil.copytree(UNITS, units, ignore=shutil.ignore_patterns("journald.conf"))
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    programs = root / PROGRAMS.lstrip("/")
    programs.mkdir(parents=True)
    for name in ("uvicorn", "celery", "python"):
        (programs / name).touch(mode=0o755)
    return root


def analyze(*arguments: str) -> tuple[int, str]:
    """Return the status and the output of systemd-analyze."""
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


def test_systemd_loads_the_units_without_a_warning(root: Path) -> None:
    units = [*LOADED, "chat-backup.timer", "chat.target"]
    assert analyze("verify", "--man=no", f"--root={root}", *units) == (0, "")


@pytest.mark.parametrize("service", LOADED)
def test_a_service_reaches_little_of_the_system(root: Path, service: str) -> None:
    threshold = f"--threshold={HIGHEST_EXPOSURE * 10:.0f}"
    status, output = analyze("security", "--offline=true", f"--root={root}", threshold, service)
    assert status == 0, output
    assert "Service runs under a static non-root user identity" in output


@pytest.mark.parametrize("process", PROCESSES)
def test_services_run_the_commands_of_the_production_procfile(process: str) -> None:
    inside = {"$PORT": "7", "worker-$$@%h": "worker-7@%h"}
    words = [inside.get(word, word) for word in shlex.split(PROCFILE[process])]
    assert commands(PROCESSES[process], "7") == [shlex.join(words)]


@pytest.mark.parametrize("service", PROCESSES.values())
def test_services_start_again_and_have_time_to_stop(service: str) -> None:
    file = f"{service}.service"
    assert setting(file, "Service", "Restart") == "always"
    assert setting(file, "Unit", "StartLimitIntervalSec") == "0"
    assert setting(file, "Unit", "PartOf") == "chat.target"
    assert setting(file, "Install", "WantedBy") == "chat.target"
    assert setting(file, "Unit", "After") == "chat-prepare.service"
    assert f"stop_grace_period: {setting(file, 'Service', 'TimeoutStopSec')}s" in COMPOSE


def test_the_file_limit_allows_many_sockets() -> None:
    assert setting("chat-.service.d/common.conf", "Service", "LimitNOFILE") == "65536"


def test_the_deployment_guide_installs_what_the_units_use() -> None:
    guide = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    used = {setting("chat-.service.d/common.conf", "Service", "EnvironmentFile"), INSTALLED}
    assert all(path in guide for path in used)
    enabled = {file.stem for file in files() if "[Install]" in file.read_text()}
    assert len(enabled) == 5
    assert all(name in guide for name in enabled), enabled
