"""Run every measurement, or those named: `python -m bench messages stop`.

A measurement is a module of this package with `run()`, which yields figures and lines to print.
What was measured is stored in `var/bench` as JSON.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import bench
from bench._figures import Figure, as_text, table
from bench._options import options
from bench._results import FOLDER, Results, load_figures
from bench._tables import write_tables


def names() -> list[str]:
    """Return the names of all measurements."""
    modules = pkgutil.iter_modules(bench.__path__)
    return sorted(each.name for each in modules if each.name[0] != "_" and not each.ispkg)


def main(arguments: Sequence[str]) -> int:
    """Run the measurements wanted, all if none is named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--rounds", type=int, default=3, help="measure each system so often")
    parser.add_argument("--peers", action="store_true", help="also measure Chainlit")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where results are stored")
    parser.add_argument("--smoke-test", action="store_true", help="only see that it runs")
    parser.add_argument(
        "--tables",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="measure nothing; write the documentation's tables from these results",
    )
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.names) - set(names()):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    if wanted.tables:
        write_tables(load_figures(wanted.tables))
        return 0
    options.rounds, options.peers = wanted.rounds, wanted.peers
    options.is_smoke_test = wanted.smoke_test
    measure(wanted.names or names(), wanted.folder)
    return 0


def measure(wanted: Iterable[str], folder: Path) -> None:
    """Run measurements; store the results after each."""
    results = Results()
    print(f"Python {results.python}, {results.cores} cores, load {results.load:.2f}")
    for name in wanted:
        run(name, results)
        print(f"  Stored in {results.write(folder)}", flush=True)


def run(name: str, results: Results) -> None:
    """Run one measurement, print what it yields and add it to the results."""
    module = importlib.import_module(f"bench.{name}")
    print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}")
    lines, figures = results.lines.setdefault(name, []), results.figures.setdefault(name, [])
    for result in module.run():
        if isinstance(result, Figure):
            figures.append(result)
        else:
            lines.append(result)
            print(f"  {result}", flush=True)
    for group in dict.fromkeys(each.group for each in figures):
        print()
        for line in as_text(table([each for each in figures if each.group == group])):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
