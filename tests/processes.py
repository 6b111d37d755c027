"""Real processes for tests: the commands of the Procfile, each with its own log file.

with Stack(folder, {"MODEL_URL": model.url}) as stack:  # stops every process at the end
    stack.start()                                       # Redis, web, worker and beat
    second = stack.start_worker(WORKER_CONCURRENCY="1")
    second.kill()                                       # SIGKILL, or any other signal
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
import requests
from django.conf import settings

from chat.cli.processes import child_environment, die_with_parent, procfile_commands
from chatproject.secret_files import read_or_create_secret
from tests.ports import free_port
from tests.settings import VARIABLES

ROOT = Path(__file__).parent.parent
# Generous, because the machine may be busy.
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
POLL_S = 0.01
# All clients of a test share one address, and send without pauses.
HIGH_LIMITS = {
    "MESSAGES_PER_MINUTE": "100000",
    "MESSAGES_PER_MINUTE_PER_IP": "1000000",
    "BYTES_PER_MINUTE_PER_IP": "1000000000",
    "MAX_SESSION_MESSAGES": "1000000",
    "MAX_SESSION_BYTES": "1000000000",
    "READS_PER_MINUTE": "100000",
    "READS_PER_MINUTE_PER_IP": "1000000",
    "UNKNOWN_TOKENS_PER_MINUTE_PER_IP": "100000",
    "TOKENS_PER_MINUTE_PER_IP": "100000",
    "SHARES_PER_MINUTE": "100000",
    "MAX_SHARED_BYTES": "1000000000",
    "SOCKETS_PER_IP": "10000",
}

WEB_SERVERS = {
    "daphne": procfile_commands(ROOT / "Procfile")["web"],
    "uvicorn": procfile_commands(ROOT / "Procfile.production")["web"],
}


def wait_for(
    condition: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Poll until `condition` is true; AssertionError that names `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"timed out after {timeout_s} s waiting for {what}"
        time.sleep(POLL_S)


class Process:
    """One process in its own process group, whose output goes to the file `log`.

    Start it on a long-lived thread: Linux kills it when that thread ends.
    """

    def __init__(self, name: str, command: str, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.environment = environment
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        """The port a web process listens on."""
        return int(self.environment["PORT"])

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        """Return the output so far."""
        return self.log.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`; AssertionError at once if the process exits first."""
        wait_for(lambda: condition() or not self.is_alive(), f"{self.name} {what}\n{self.output()}")
        assert self.is_alive(), f"{self.name} exited early:\n{self.output()}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        os.killpg(self.pid, number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal and wait for the exit; return the status, negative for a signal."""
        if self.is_alive():
            self.send(number)
        return self.process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Terminate the process; kill it if it does not exit."""
        if not self.is_alive():
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Stack:
    """The processes of one site, any number of each kind.

    The site's settings come from `environment`. Without a REDIS_URL the site has an embedded
    Redis, which `start_redis` starts. Data files and logs are in `folder`.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.environment = self._environment(environment)
        self._commands = procfile_commands(ROOT / "Procfile")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start one process of each kind and wait until web and worker are ready."""
        if "REDIS_URL" not in self.environment:
            self.start_redis()
        shutil.copy(migrated_database(), self.folder / "database.sqlite3")
        waits = [self._launch_web({}), self._launch_worker({})]
        self.start_beat()
        for wait_until_ready in waits:
            wait_until_ready()

    def start_redis(self) -> Process:
        """Start the embedded Redis, also after it was killed, and wait until it responds."""
        process = self.run("redis", self._commands["redis"], {})
        with redis.Redis.from_url(self.redis_url, retry=None) as client:
            process.wait_until(lambda: _responds(client), "to respond")
        return process

    def start_web(self, **environment: str) -> Process:
        """Start a web process: the first on the stack's port, others on a free port."""
        if self.running("web"):
            environment = {"PORT": str(free_port())} | environment
        self._launch_web(environment)()
        return self.running("web")[-1]

    def start_both_servers(self, **environment: str) -> dict[str, Process]:
        """Start a web process of each server, on free ports; return them by the server's name."""
        webs = {
            name: self.run("web", command, {"PORT": str(free_port())} | environment)
            for name, command in WEB_SERVERS.items()
        }
        for web in webs.values():
            url = f"http://127.0.0.1:{web.port}/healthz"
            web.wait_until(partial(is_serving, url), "to serve")
        return webs

    def start_worker(self, **environment: str) -> Process:
        self._launch_worker(environment)()
        return self.running("worker")[-1]

    def start_beat(self, **environment: str) -> Process:
        """Start beat; does not wait, because beat does not report when it is ready."""
        return self.run("beat", self._commands["beat"], environment)

    def close(self) -> None:
        """Stop every process, Redis last."""
        for process in self.processes:
            if process.is_alive() and process.name != "redis":
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
        for process in sorted(self.processes, key=lambda process: process.name == "redis"):
            process.stop()

    def running(self, name: str) -> list[Process]:
        """Return the running processes of a kind, oldest first."""
        return [each for each in self.processes if each.name == name and each.is_alive()]

    def run(self, name: str, command: str, environment: dict[str, str]) -> Process:
        """Start any command in the stack's environment, without waiting."""
        log = self.folder / f"{len(self.processes):02}-{name}.log"
        process = Process(name, command, self.environment | environment, log)
        self.processes.append(process)
        return process

    @property
    def redis_url(self) -> str:
        if url := self.environment.get("REDIS_URL"):
            return url
        password = read_or_create_secret(Path(self.environment["DATA_DIR"], "redis", "password"))
        return f"redis://:{password}@127.0.0.1:{self.environment['EMBEDDED_REDIS_PORT']}/0"

    @property
    def url(self) -> str:
        """The URL of the site, without a trailing slash."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def ws_url(self) -> str:
        """The URL of the WebSocket, without a token."""
        return f"ws://127.0.0.1:{self.environment['PORT']}/chat"

    def _environment(self, environment: dict[str, str]) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in os.environ if name not in VARIABLES}
        defaults = {
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(self.folder),
            "EMBEDDED_REDIS_PORT": str(free_port()),
        }
        port = int(environment.get("PORT") or free_port())
        return child_environment(inherited | defaults | environment, port)

    def _launch_web(self, environment: dict[str, str]) -> Callable[[], None]:
        server = os.environ.get("TEST_WEB_SERVER", "daphne")
        environment = {"STATIC_ROOT": str(collected_static_files())} | environment
        process = self.run("web", WEB_SERVERS[server], environment)
        address = f"http://127.0.0.1:{process.port}/test"
        return lambda: process.wait_until(lambda: is_serving(address), "to serve")

    def _launch_worker(self, environment: dict[str, str]) -> Callable[[], None]:
        process = self.run("worker", self._commands["worker"], environment)
        return lambda: process.wait_until(lambda: " ready." in process.output(), "to be ready")


@cache
def migrated_database() -> Path:
    """Return an SQLite file with the project's tables, created once per test run."""
    folder = Path(tempfile.mkdtemp(dir=settings.DATA_DIR))
    _manage("migrate --skip-checks", {"DATA_DIR": str(folder)})
    return folder / "database.sqlite3"


@cache
def collected_static_files() -> Path:
    """Return the folder of the collected static files; those of the last test run are reused."""
    folder = ROOT / "var" / "static-for-tests"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "static-for-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _manage("collectstatic --noinput", {"STATIC_ROOT": str(folder)})
    return folder


def _manage(command: str, environment: dict[str, str]) -> None:
    """Run a management command that needs no server."""
    defaults = {"DATA_DIR": str(settings.DATA_DIR), "REDIS_URL": "redis://127.0.0.1:9/0"}
    stack = Stack(Path(settings.DATA_DIR), defaults | environment)
    subprocess.run(
        ["python", "manage.py", *command.split(), "--verbosity", "0"],
        cwd=ROOT,
        env=stack.environment,
        check=True,
        timeout=START_TIMEOUT_S,
    )


def last_lines(processes: Iterable[Process], count: int = 60) -> dict[str, str]:
    """Return the last lines of each process's log, by the name of the log."""
    return {each.log.name: "\n".join(each.output().splitlines()[-count:]) for each in processes}


def is_serving(url: str) -> bool:
    """Return whether a GET request for a URL succeeds."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _responds(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
