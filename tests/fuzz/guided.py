"""`python -m tests.fuzz.guided TARGET SECONDS`: fuzz one target, guided by the code it reaches.

The input is what hypothesis draws the target's arguments from. Where atheris has no wheel, the
input is random.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).parent.parent.parent

MAX_INPUT_BYTES = 4096
SEED_INPUTS = 20
INPUT_TIMEOUT_S = 20
INSTRUMENTED = ["inference", "chat.protocol", "chat.websocket", "chat.events", "chat.schemas"]


def load_targets() -> dict[str, Callable[[bytes], Any]]:
    """Return a function that runs a target with the arguments drawn from its input, by name."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    module = importlib.import_module("tests.fuzz.targets")
    return {
        name: value.hypothesis.fuzz_one_input
        for name, value in vars(module).items()
        if name.startswith("test_")
    }


def guided(atheris: Any, name: str, seconds: int) -> None:
    """Fuzz with libFuzzer, which ends the process."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load_targets()[name]
    corpus = seeded_corpus(name)
    options = [
        str(corpus),
        *(f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", "-print_final_stats=1"),
        "-len_control=0",
        *(
            f"-timeout={INPUT_TIMEOUT_S}",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={corpus}-",
        ),
    ]
    atheris.Setup([name, *options], lambda data: target(data))
    atheris.Fuzz()


def seeded_corpus(name: str) -> Path:
    """Return the folder with the inputs found so far. Short ones draw no arguments at all."""
    folder = ROOT / "var" / "fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SEED_INPUTS):
        (folder / f"seed-{number}").write_bytes(os.urandom(MAX_INPUT_BYTES))
    return folder


def unguided(name: str, seconds: int) -> None:
    """Fuzz with random input."""
    target, runs = load_targets()[name], 0
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        target(os.urandom(MAX_INPUT_BYTES))
        runs += 1
    print(f"stat::number_of_executed_units: {runs}")  # noqa: T201 as libFuzzer prints it


if __name__ == "__main__":
    try:
        import atheris
    except ImportError:
        unguided(sys.argv[1], int(sys.argv[2]))
    else:
        guided(atheris, sys.argv[1], int(sys.argv[2]))
