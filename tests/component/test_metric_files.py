"""Metric files of ended processes are merged, and those of this process cannot run out of disk."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from chat.observability import metric_files


def write(folder: Path, kind: str, pid: int, value: float) -> Path:
    file = folder / f"{kind}_{pid}.db"
    values = MmapedDict(str(file))
    values.write_value("key", value, 0.0)
    values.close()
    return file


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def read(file: Path) -> list[float]:
    return [value for _, value, _, _ in MmapedDict.read_all_values_from_file(str(file))]


def test_this_process_has_disk_space_for_its_metrics(tmp_path: Path) -> None:
    file = write(tmp_path, "counter", os.getpid(), 1)
    assert file.stat().st_blocks * 512 < file.stat().st_size, "the file is sparse at first"
    metric_files.prepare(tmp_path)
    assert file.stat().st_blocks * 512 >= file.stat().st_size


def test_the_first_process_starts_with_an_empty_folder(tmp_path: Path) -> None:
    file = write(tmp_path, "counter", ended_pid(), 1)
    metric_files.prepare(tmp_path)
    assert not file.exists()


def test_counters_of_ended_processes_are_added_up_and_gauges_removed(tmp_path: Path) -> None:
    write(tmp_path, "counter", os.getpid(), 1)
    for kind in ("counter", "gauge_livesum"):
        write(tmp_path, kind, ended_pid(), 2)
    write(tmp_path, "counter", ended_pid(), 3)
    with metric_files.merged(tmp_path):
        pass
    assert read(tmp_path / "counter_0.db") == [5]
    assert list(tmp_path.glob("gauge_*")) == []
