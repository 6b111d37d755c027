"""CPU time and memory of a site's processes, from the kernel's counters."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from tests.processes import Process, Stack

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KINDS = ("web", "worker", "redis")


def cpu_s(process: Process) -> float:
    """Return the CPU time that a process and its children have used, in seconds."""
    total = 0
    for pid in _group(process.pid):
        # The name in parentheses may contain spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def memory_bytes(process: Process) -> int:
    """Return the resident memory of a process and its children."""
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in _group(process.pid))
    return sum(map(int, pages)) * PAGE_BYTES


class CpuMeter:
    """The CPU time that the processes of each kind use from now on; `client` is this process."""

    def __init__(self, stack: Stack, kinds: Sequence[str] = KINDS) -> None:
        self._stack, self._kinds = stack, kinds
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._before = self._now()
        self._started_at = time.monotonic()

    def used_s(self) -> dict[str, float]:
        """Return the CPU time of each kind since the start, in seconds."""
        return {kind: used - self._before[kind] for kind, used in self._now().items()}

    def shares(self) -> dict[str, float]:
        """Return the part of a core that each kind has used since the start, in percent."""
        took_s = time.monotonic() - self._started_at
        return {kind: used / took_s * 100 for kind, used in self.used_s().items()}

    def _now(self) -> dict[str, float]:
        running = {kind: self._stack.running(kind) for kind in self._kinds}
        used = {kind: sum(map(cpu_s, each)) for kind, each in running.items() if each}
        return used | ({"client": time.process_time()} if "client" in self._kinds else {})


def _group(leader: int) -> list[int]:
    """Return the processes of a process group; each process of a stack leads its own."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _group_of(pid) == leader]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
