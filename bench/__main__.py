"""Run every measurement, or those named: `python -m bench messages stop`.

A measurement is a module of this package with `run()`, which returns the lines to print.
"""

import importlib
import os
import pkgutil
import platform
import sys

import bench


def names() -> list[str]:
    """Return the names of all measurements."""
    return sorted(
        module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[0] != "_"
    )


def main(wanted: list[str]) -> int:
    """Run the measurements wanted, all if none is named; return the exit status."""
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"No such measurement: {', '.join(sorted(unknown))}. There are {', '.join(names())}.")
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    for name in wanted or names():
        module = importlib.import_module(f"bench.{name}")
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
        for line in module.run():
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
