"""Real processes for tests: the Procfile's own commands, with logs kept and an end that is sure.

stack = Stack(folder, {"MODEL_URL": model.url})
stack.start()                      # Redis, web, worker and beat, up when it returns
second = stack.start_worker(WORKER_CONCURRENCY="1")
second.kill()                      # SIGKILL, or any other signal
stack.close()
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import cache
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
# Far above what is needed: a machine may be busy with other things.
START_TIMEOUT_S = 90
END_TIMEOUT_S = 30
POLL_S = 0.01
WEB_SERVERS = {
    "daphne": procfile_commands(ROOT / "Procfile")["web"],
    "uvicorn": procfile_commands(ROOT / "Procfile.production")["web"],
}


def wait_for(
    condition: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Return once `condition` is true; fails with `what` was waited for after `timeout_s`."""
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, f"waited {timeout_s} s in vain for {what}"
        time.sleep(POLL_S)


class Running:
    """One process, leader of its own group, whose output goes to `log`.

    To be started on a thread that lasts: Linux ends it together with that thread.
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

    def text(self) -> str:
        """All it has written so far."""
        return self.log.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`; fails at once when the process ends before."""
        wait_for(lambda: condition() or not self.is_alive(), f"{self.name} {what}\n{self.text()}")
        assert self.is_alive(), f"{self.name} ended early:\n{self.text()}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        os.killpg(self.pid, number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal and wait for the end; return the exit status, negative for a signal."""
        if self.is_alive():
            self.send(number)
        return self.process.wait(END_TIMEOUT_S)

    def end(self) -> None:
        """End it, kindly if it listens."""
        if not self.is_alive():
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Stack:
    """The processes of one site: as many of each kind as a test wants.

    `environment` is what the site's settings read; without a REDIS_URL it has a Redis of its own,
    started by `start_redis`. Files and logs are in `folder`. `web_server` is a name in WEB_SERVERS,
    by default that of TEST_WEB_SERVER.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str], web_server: str | None = None
    ) -> None:
        self.folder = folder
        self.web_server = web_server or os.environ.get("TEST_WEB_SERVER") or "daphne"
        self.processes: list[Running] = []
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
        """Start one of each kind and wait until web and worker are up."""
        if "REDIS_URL" not in self.environment:
            self.start_redis()
        shutil.copy(migrated_database(), self.folder / "database.sqlite3")
        parts = [self._begin_web({}), self._begin_worker({})]
        self.start_beat()
        for wait_until_up in parts:
            wait_until_up()

    def start_redis(self) -> Running:
        """Start the embedded Redis (again, after it was killed) and wait until it answers."""
        process = self.run("redis", self._commands["redis"], {})
        with redis.Redis.from_url(self.redis_url, retry=None) as client:
            process.wait_until(lambda: _answers(client), "to answer")
        return process

    def start_web(self, **environment: str) -> Running:
        """Start a web process, the first on the stack's port, others on ports of their own."""
        if self.of("web"):
            environment = {"PORT": str(free_port())} | environment
        self._begin_web(environment)()
        return self.of("web")[-1]

    def start_worker(self, **environment: str) -> Running:
        self._begin_worker(environment)()
        return self.of("worker")[-1]

    def start_beat(self, **environment: str) -> Running:
        """Start beat, which says nothing when it is up; its work is seen by what it sweeps."""
        return self.run("beat", self._commands["beat"], environment)

    def close(self) -> None:
        """End every process: those that need Redis before Redis."""
        for process in self.processes:
            if process.is_alive() and process.name != "redis":
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
        for process in sorted(self.processes, key=lambda process: process.name == "redis"):
            process.end()

    def of(self, name: str) -> list[Running]:
        """Return the living processes of a kind, oldest first."""
        return [each for each in self.processes if each.name == name and each.is_alive()]

    def run(self, name: str, command: str, environment: dict[str, str]) -> Running:
        """Start any command in the stack's environment; does not wait for anything."""
        log = self.folder / f"{len(self.processes):02}-{name}.log"
        process = Running(name, command, self.environment | environment, log)
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
        """The site's address, without a slash at the end."""
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @property
    def ws_url(self) -> str:
        """The chat socket's address, without a token."""
        return f"ws://127.0.0.1:{self.environment['PORT']}/chat"

    def _environment(self, environment: dict[str, str]) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in os.environ if name not in VARIABLES}
        own = {
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "ENV_FILE": os.devnull,
            "DATA_DIR": str(self.folder),
            "EMBEDDED_REDIS_PORT": str(free_port()),
        }
        port = int(environment.get("PORT") or free_port())
        return child_environment(inherited | own | environment, port)

    def _begin_web(self, environment: dict[str, str]) -> Callable[[], None]:
        process = self.run("web", WEB_SERVERS[self.web_server], environment)
        address = f"http://127.0.0.1:{process.port}/test"
        return lambda: process.wait_until(lambda: _serves(address), "to serve")

    def _begin_worker(self, environment: dict[str, str]) -> Callable[[], None]:
        process = self.run("worker", self._commands["worker"], environment)
        return lambda: process.wait_until(lambda: " ready." in process.text(), "to be ready")


@cache
def migrated_database() -> Path:
    """Return an SQLite file with the project's tables, made once a test run."""
    folder = Path(tempfile.mkdtemp(dir=settings.DATA_DIR))
    command = ["python", "manage.py", "migrate", "--skip-checks", "--verbosity", "0"]
    environment = Stack(folder, {"REDIS_URL": "redis://127.0.0.1:9/0"}).environment
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=START_TIMEOUT_S)
    return folder / "database.sqlite3"


def tails(processes: Iterable[Running], lines: int = 60) -> dict[str, str]:
    """Return the last lines of each process' log, by the log's name."""
    return {each.log.name: "\n".join(each.text().splitlines()[-lines:]) for each in processes}


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _serves(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.RequestException:
        return False
