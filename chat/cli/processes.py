"""Run the Procfile's processes together: one signal ends them all and none outlives the runner.

honcho starts, shows and stops them. Added here: the children die with a runner that is killed,
one process (Redis) is up before and after those who need it, and a signal that comes while they
start is not lost.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer
from honcho.process import Popen, Process

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_S = 0.02


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux only, elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def procfile_commands(procfile: Path) -> dict[str, str]:
    """Return each process' shell command, in the file's order."""
    return dict(parse_procfile(procfile.read_text()).processes)


def child_environment(environment: dict[str, str], port: int) -> dict[str, str]:
    """Return what a child gets: this interpreter's programs first, and the port to serve on."""
    programs = os.path.dirname(sys.executable)
    path = f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment | {"PATH": path, "PORT": str(port), "PYTHONUNBUFFERED": "1"}


class ChildProcess(Process):  # type: ignore[misc]
    """A process of honcho that does not outlive the runner, whatever ends it."""

    def __init__(self, cmd: str, **options: Any) -> None:
        super().__init__(f"exec {cmd}", **options)
        self._child_ctor = lambda *args, **kwargs: Popen(
            *args, **kwargs, preexec_fn=die_with_parent
        )

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        die_with_parent()
        super().run(events, ignore_signals)


class SafePrinter(Printer):  # type: ignore[misc]
    """Goes on when the terminal is gone: the processes still have to be ended in order."""

    def write(self, message: Any) -> None:
        with suppress(OSError):
            super().write(message)


class Runner(Manager):  # type: ignore[misc]
    """Runs processes until one ends or a signal comes, then ends them all."""

    def __init__(self, *, first: str, first_is_up: Callable[[], bool]) -> None:
        """`first` starts before the others, when `first_is_up` says so, and ends after them."""
        multiprocessing.set_start_method("fork", force=True)
        super().__init__(SafePrinter(sys.stdout))
        self._process_ctor = ChildProcess
        self._first, self._first_is_up = first, first_is_up
        self._ending = threading.Event()

    def loop(self) -> None:
        """Run them; returns when all have ended, with `returncode` set."""
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        super().loop()

    def terminate(self) -> None:
        """Ask all processes to end; those that have not started yet as soon as they have."""
        if not self._ending.is_set():
            self._ending.set()
            threading.Thread(target=self._end_in_order, daemon=True).start()

    def _start(self) -> None:
        for name, entry in self._processes.items():
            process = multiprocessing.Process(
                name=name, target=entry["obj"].run, args=(self.events, True)
            )
            entry["process"] = process
            process.start()
            if name == self._first:
                self._wait_for_first(process)

    def _wait_for_first(self, process: multiprocessing.Process) -> None:
        while process.is_alive() and not self._ending.is_set() and not self._first_is_up():
            time.sleep(POLL_S)

    def _end_in_order(self) -> None:
        while not self._all_started():
            time.sleep(POLL_S)
        others = [entry for name, entry in self._processes.items() if name != self._first]
        for entry in others:
            self._procmgr.terminate(entry["pid"])
        while not all("returncode" in entry for entry in others):
            time.sleep(POLL_S)
        if self._first in self._processes:
            self._procmgr.terminate(self._processes[self._first]["pid"])
