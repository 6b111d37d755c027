"""A fresh Debian machine: systemd, Docker, nginx, PostgreSQL and Prometheus in its own namespaces.

systemd-nspawn boots a root file system that mmdebstrap makes once, and pasta connects its network
to the packages' mirrors without a change to this host. Both need root.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from chat.cli.processes import die_with_parent
from chat.management.commands.runredis import bundled_files
from tests.documentation.terminal import Terminal
from tests.processes import ROOT, wait_for

CACHE = ROOT / "var" / "documentation"
FOLDER = Path(__file__).parent
PROGRAMS = ("mmdebstrap", "pasta", "systemd-nspawn", "nsenter", "ip")
SUITE = "trixie"
# What the documentation tells people to have, and what a server has anyway.
PACKAGES = (
    *("systemd-sysv", "dbus", "procps", "iproute2", "sudo", "logrotate", "openssl", "dnsmasq"),
    *("python3", "git", "curl", "jq", "ca-certificates"),
    *("docker.io", "docker-cli", "docker-compose", "docker-buildx", "iptables", "redis-tools"),
    *("nginx-light", "postgresql", "prometheus"),
)
USER = "ada"
HOST = "chat.example"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Machine:
    """A running machine; its files are in `root`."""

    def __init__(self, root: Path, namespace: str, leader: int, log: BinaryIO) -> None:
        self.root = root
        self.namespace = namespace
        self.leader = leader
        self.log = log
        self.processes: list[subprocess.Popen[bytes]] = []

    def run(self, command: str, *, timeout_s: float = 300) -> str:
        """Run a shell command as root and return its output; RuntimeError if it fails."""
        done = subprocess.run(
            [*self.enter(), "bash", "-ec", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
        )
        if done.returncode:
            raise RuntimeError(f"{command}\n{done.stdout}")
        return done.stdout

    def succeeds(self, command: str) -> bool:
        try:
            self.run(command)
        except RuntimeError:
            return False
        return True

    def terminal(self, user: str) -> Terminal:
        return Terminal([*self.enter(), "su", "--login", user])

    def serve_model(self) -> None:
        """Run the model stub on port 8500 of every address of the machine."""
        if not self.succeeds("curl -s http://127.0.0.1:8500"):
            command = [sys.executable, "-m", "tests.model_stub", "--host", "0.0.0.0"]  # noqa: S104
            in_namespace = ["nsenter", f"--net=/run/netns/{self.namespace}", "--"]
            self.processes.append(start([*in_namespace, *command, "--port", "8500"], self.log))
            wait_for(lambda: self.succeeds("curl -s http://127.0.0.1:8500"), "the model stub")

    def serve_name(self) -> None:
        """Serve https://chat.example: its name, and a proxy in front of port 8080."""
        shutil.copytree(FOLDER / "proxy", self.root / "opt/proxy", dirs_exist_ok=True)
        self.run("sh /opt/proxy/set_up.sh")

    def serve_redis(self, password: str) -> None:
        """Run Redis with JSON as the service of Debian's package, on port 6379."""
        folder = self.root / "opt/redis"
        folder.mkdir(exist_ok=True)
        for path in bundled_files():
            shutil.copy(path, folder)
        unit = (FOLDER / "redis/redis-server.service").read_text().replace("PASSWORD", password)
        (self.root / "etc/systemd/system/redis-server.service").write_text(unit)
        self.run(
            "id redis >/dev/null 2>&1 || useradd --system redis; chmod -R a+rX /opt/redis;"
            " chmod a+x /opt/redis/valkey-server; systemctl daemon-reload;"
            " systemctl enable --quiet --now redis-server"
        )

    def release(self, version: str) -> None:
        """Commit a new version to the repository that the operator cloned."""
        git = "git -C /srv/chat -c user.name=Chat -c user.email=chat@chat.example"
        self.run(
            f"cd /srv/chat && sed -i '0,/^version = .*/s//version = \"{version}\"/' pyproject.toml"
            f" && {git} commit --quiet --all --message 'Release {version}'"
        )

    def stop_processes(self) -> None:
        for process in self.processes:
            process.kill()

    def enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.leader), "--all", "--"]


@contextmanager
def fresh_machine() -> Iterator[Machine]:
    """Boot a machine that has only the packages; stop and delete it at the end."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing or os.getuid() != 0:
        raise SystemExit(f"This needs root, and the programs {', '.join(PROGRAMS)}.")
    archive = root_archive(PACKAGES)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="chat-documentation-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        root = folder / "root"
        root.mkdir()
        subprocess.run(["tar", "--extract", "--file", archive, "-C", root], check=True)
        prepare(root)
        namespace = f"chat-docs-{os.getpid()}"
        in_namespace = ["nsenter", f"--net=/run/netns/{namespace}", "--"]
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        stack.callback(subprocess.run, ["ip", "netns", "delete", namespace], check=False)
        subprocess.run([*in_namespace, "ip", "link", "set", "lo", "up"], check=True)
        log = stack.enter_context((folder / "log").open("wb"))
        network = start(pasta(namespace), log)
        stack.callback(network.kill)
        nspawn_process = start([*in_namespace, *nspawn(root)], log)
        leader = leader_of(nspawn_process)
        stack.callback(nspawn_process.wait, 60)
        # The end of its systemd ends every process of the machine.
        stack.callback(os.kill, leader, signal.SIGKILL)
        machine = Machine(root, namespace, leader, log)
        stack.callback(machine.stop_processes)
        wait_for(lambda: machine.succeeds("systemctl is-active docker"), "Docker to start")
        yield machine


def root_archive(packages: tuple[str, ...]) -> Path:
    """Return the archive of a root file system, made once."""
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    archive = CACHE / f"{SUITE}-{digest}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part.tar")
        options = ["--quiet", "--variant=minbase", "--components=main"]
        options += [f"--include={','.join(packages)}"]
        subprocess.run(["mmdebstrap", *options, SUITE, part, mirror()], check=True)
        part.rename(archive)
    return archive


def mirror() -> str:
    """Return the address of Debian's packages that this host uses."""
    query = ["apt-get", "indextargets", "--format", "$(SITE)", "Label: Debian"]
    found = subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()
    return found[0]


def prepare(root: Path) -> None:
    """Add the user, and this host's certificate authorities and name server."""
    subprocess.run(
        ["chroot", root, "useradd", "-m", "-s", "/bin/bash", "-G", "docker,sudo", USER], check=True
    )
    (root / "etc/sudoers.d/user").write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/hostname").write_text("machine\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost machine\n")
    variables = ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")
    lines = [f"{variable}={CERTIFICATES}\n" for variable in variables]
    # Without lines that overwrite each other, which fill the transcript.
    lines += ["COMPOSE_ANSI=never\n", "BUILDKIT_PROGRESS=plain\n"]
    (root / "etc/environment").write_text("".join(lines))
    # What the operator configures is started by the operator.
    for service in ("nginx", "prometheus", "dnsmasq"):
        link = root / "etc/systemd/system/multi-user.target.wants" / f"{service}.service"
        link.unlink(missing_ok=True)


def pasta(namespace: str) -> list[str]:
    """Return the command that connects the namespace outwards, and no port inwards."""
    ports = [word for option in "tuTU" for word in (f"-{option}", "none")]
    options = ["--foreground", "--runas", "0:0", "--netns-only", "--config-net", *ports]
    return ["pasta", *options, "--netns", f"/run/netns/{namespace}"]


def nspawn(root: Path) -> list[str]:
    """Return the command that boots the machine with what Docker needs in it."""
    return [
        "env",
        "SYSTEMD_SECCOMP=0",
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1",
        "systemd-nspawn",
        *("--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"),
        *("--capability=all", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        f"--directory={root}",
    ]


def start(command: list[str], log: BinaryIO) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent,
    )


def leader_of(nspawn: "subprocess.Popen[bytes]") -> int:
    """Return the process id of the machine's systemd."""
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")

    def leader() -> int | None:
        for child in children.read_text().split():
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return int(child)
        return None

    wait_for(leader, "the machine to boot")
    found = leader()
    assert found
    return found
