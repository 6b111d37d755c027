"""Run all benchmarks or the named ones: `python -m bench messages stop`.

A benchmark is a module of this package with `run()`, which yields the lines to print.
"""

import importlib
import os
import pkgutil
import platform
import sys

import bench


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(
        module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[0] != "_"
    )


def main(selected: list[str]) -> int:
    """Run the selected benchmarks, or all if none is selected; return the exit status."""
    unknown = set(selected) - set(names())
    if unknown:
        print(f"Unknown benchmark: {', '.join(sorted(unknown))}. Available: {', '.join(names())}.")
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    for name in selected or names():
        module = importlib.import_module(f"bench.{name}")
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
        for line in module.run():
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
