"""Run the Procfile's processes together: one signal stops them all and none outlives the runner.

honcho starts them, prints their output and stops them. This module adds three things: the
processes die with a runner that is killed, the others start after Redis and stop before it, and a
signal during start-up is not lost.
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
    """Ask the kernel to kill this process when its parent dies; does nothing except on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def procfile_commands(procfile: Path) -> dict[str, str]:
    """Return the shell command of each process, in the file's order."""
    return dict(parse_procfile(procfile.read_text()).processes)


def child_environment(environment: dict[str, str], port: int) -> dict[str, str]:
    """Return a child's environment: this interpreter's programs come first in PATH."""
    programs = os.path.dirname(sys.executable)
    path = f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment | {"PATH": path, "PORT": str(port), "PYTHONUNBUFFERED": "1"}


class ChildProcess(Process):  # type: ignore[misc]
    """A honcho process that dies with the runner, even if the runner is killed."""

    def __init__(self, cmd: str, **options: Any) -> None:
        # Without exec, signals reach the shell instead of the program.
        super().__init__(f"exec {cmd}", **options)
        self._child_ctor = lambda *args, **kwargs: Popen(
            *args, **kwargs, preexec_fn=die_with_parent
        )

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        die_with_parent()
        super().run(events, ignore_signals)


class TolerantPrinter(Printer):  # type: ignore[misc]
    """Ignores a closed terminal, because the processes must still be stopped in order."""

    def write(self, message: Any) -> None:
        with suppress(OSError):
            super().write(message)


class Runner(Manager):  # type: ignore[misc]
    """Runs processes until one ends or a signal arrives, then stops them all."""

    def __init__(self, *, first: str, first_is_up: Callable[[], bool]) -> None:
        """The others start once `first_is_up` returns true, and stop before `first`."""
        multiprocessing.set_start_method("fork", force=True)
        super().__init__(TolerantPrinter(sys.stdout))
        self._process_ctor = ChildProcess
        self._first, self._first_is_up = first, first_is_up
        self._stopping = threading.Event()

    def loop(self) -> None:
        """Run until every process has ended, and set `returncode`."""
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        super().loop()

    def terminate(self) -> None:
        """Stop all processes; one that has not started yet is stopped once it has."""
        if not self._stopping.is_set():
            self._stopping.set()
            threading.Thread(target=self._stop_in_order, daemon=True).start()

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
        while process.is_alive() and not self._stopping.is_set() and not self._first_is_up():
            time.sleep(POLL_S)

    def _stop_in_order(self) -> None:
        while not self._all_started():
            time.sleep(POLL_S)
        others = [entry for name, entry in self._processes.items() if name != self._first]
        for entry in others:
            self._procmgr.terminate(entry["pid"])
        while not all("returncode" in entry for entry in others):
            time.sleep(POLL_S)
        if self._first in self._processes:
            self._procmgr.terminate(self._processes[self._first]["pid"])
