"""The files in which each process of a host keeps its own metrics.

A process that ended leaves its files behind. Its gauges are taken away and its counters added to
one file for all that ended, so that no counter of the host ever goes back and the folder stays
small. The first process of a host begins with an empty folder.
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


def begin(folder: Path) -> None:
    """Tidy up before a process counts; forget everything where no other one is alive."""
    with locked(folder):
        files = _files_by_process(folder)
        if not any(is_running(pid) for pid in files if pid not in {ENDED, os.getpid()}):
            for pid in files.keys() - {os.getpid()}:
                _remove(files[pid])
        _fold(folder)


@contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Hold the folder still for a reader, with what ended processes left added up."""
    with locked(folder):
        _fold(folder)
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one who moves files of the folder; processes that count are not held up."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fold(folder: Path) -> None:
    for pid, files in _files_by_process(folder).items():
        if pid == ENDED or is_running(pid):
            continue
        for file in files:
            if not file.name.startswith("gauge_"):
                _add(file, folder / f"{file.name.partition('_')[0]}_{ENDED}.db")
        _remove(files)


def _add(file: Path, total: Path) -> None:
    sums = MmapedDict(str(total))
    # A file may be cut short where its process died while it made it.
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
