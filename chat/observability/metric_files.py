"""The files in which each process of a host keeps its metrics.

A process leaves its files behind when it ends. Its gauges are removed and its counters added to one
file for all processes that ended, so no counter of the host decreases and the folder stays small.
The first process of a host starts with an empty folder.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from chat.observability.liveness import is_running

ENDED = 0
LOCK = "lock"


def prepare(folder: Path) -> None:
    """Prepare the folder for this process; empty it if no other process of the host is running."""
    with locked(folder):
        files = _files_by_process(folder)
        if not any(is_running(pid) for pid in files if pid not in {ENDED, os.getpid()}):
            for pid in files.keys() - {os.getpid()}:
                _remove(files[pid])
        _merge_ended(folder)
    _allocate(files.get(os.getpid(), []))


@contextmanager
def merged(folder: Path) -> Iterator[None]:
    """Merge the files of ended processes, and keep the folder unchanged during the block."""
    with locked(folder):
        _merge_ended(folder)
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes that merge files. Recording needs no lock."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _merge_ended(folder: Path) -> None:
    for pid, files in _files_by_process(folder).items():
        if pid == ENDED or is_running(pid):
            continue
        for file in files:
            if not file.name.startswith("gauge_"):
                _add(file, folder / f"{file.name.partition('_')[0]}_{ENDED}.db")
        _remove(files)


def _allocate(files: list[Path]) -> None:
    """Allocate disk space for the files, which are sparse and mapped into memory, to grow once.

    Otherwise the kernel kills the process with SIGBUS when it records a metric while the disk is
    full. https://man7.org/linux/man-pages/man2/mmap.2.html#ERRORS
    """
    for file in files:
        with file.open("r+b") as opened, contextlib.suppress(OSError, AttributeError):
            os.posix_fallocate(opened.fileno(), 0, 2 * os.fstat(opened.fileno()).st_size)


def _add(file: Path, total: Path) -> None:
    sums = MmapedDict(str(total))
    # A file is incomplete if its process was killed while it created it.
    with contextlib.closing(sums), contextlib.suppress(RuntimeError, ValueError):
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)


def _files_by_process(folder: Path) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = {}
    for file in folder.glob("*_*.db"):
        found.setdefault(int(file.stem.rpartition("_")[2]), []).append(file)
    return found


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
