"""Results of one run as JSON, in a file in `var/bench`."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench._figures import Figure, ratios
from tests.processes import ROOT

FOLDER = ROOT / "var" / "bench"


@dataclass
class Results:
    """What one run has measured, by measurement. `load` is that of the machine at the start."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    python: str = field(default_factory=platform.python_version)
    cores: int = field(default_factory=lambda: os.cpu_count() or 0)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    lines: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, list[Figure]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object, with the statistics of each figure and the ratios."""
        return {
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "python": self.python,
            "cores": self.cores,
            "load": self.load,
            "measurements": {
                name: {
                    "lines": self.lines[name],
                    "figures": [each.as_json() for each in figures],
                    "ratios": [each.as_json() for each in ratios(figures)],
                }
                for name, figures in self.figures.items()
            },
        }

    def write(self, folder: Path = FOLDER) -> Path:
        """Write a new file into the folder and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.started_at:%Y-%m-%dT%H%M%SZ}.json"
        path.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n")
        return path


def load_figures(paths: Sequence[Path]) -> dict[str, list[Figure]]:
    """Return the figures in files by measurement; of one in several files, those of the last."""
    found: dict[str, list[Figure]] = {}
    for path in paths:
        for name, measured in json.loads(path.read_text())["measurements"].items():
            found[name] = [
                Figure(each["name"], each["system"], tuple(each["values"]), each["group"])
                for each in measured["figures"]
            ]
    return found
