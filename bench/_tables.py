"""Tables of figures in Markdown files, each between a pair of comments.

    <!-- bench: messages -->
    <!-- bench: end -->

A measurement with groups has a table for each, `capacity/check`; `summary` has the rows of SUMMARY.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench._figures import Figure, as_markdown, table
from tests.processes import ROOT

FILES = (ROOT / "README.md", ROOT / "docs" / "explanation" / "capacity.md")
BLOCK = re.compile(r"(<!-- bench: (?P<name>[\w/]+) -->\n).*?(<!-- bench: end -->)", re.DOTALL)
SUMMARY = (
    "Round trip, p50 (ms)",
    "Round trip, p99 (ms)",
    "200 sessions (replies/s)",
    "64 sessions, 200 ms model, of 320 (replies/s)",
    "CPU per message, web (ms)",
    "CPU per message, worker (ms)",
    "CPU per message, redis (ms)",
    "60 streams: token delay, p50 (ms)",
    "60 streams: token delay, p99 (ms)",
    "60 streams: first token, p99 (ms)",
    "60 streams: end late (%)",
    "60 streams: CPU per token, web (µs)",
    "60 streams: CPU per token, worker (µs)",
    "60 streams: CPU per token, redis (µs)",
    "Idle sockets, web (% of a core)",
    "Idle sockets, Redis (% of a core)",
    "Memory of web per socket (KB)",
    "Connects (1/s)",
)


def write_tables(figures: Mapping[str, Sequence[Figure]], paths: Sequence[Path] = FILES) -> None:
    """Replace the tables of which there are figures."""
    for path in paths:
        path.write_text(with_tables(path.read_text(), figures))


def with_tables(text: str, figures: Mapping[str, Sequence[Figure]]) -> str:
    """Return a Markdown text with the tables of which there are figures."""

    def replace(block: re.Match[str]) -> str:
        rows = _rows(block["name"], figures)
        return "\n".join((block[1], *as_markdown(rows), "", block[3])) if rows else block[0]

    return BLOCK.sub(replace, text)


def _rows(name: str, figures: Mapping[str, Sequence[Figure]]) -> list[list[str]]:
    if name == "summary":
        measured = [each for group in figures.values() for each in group]
        known = {each.name for each in measured}
        chosen = [each for each in measured if each.name in SUMMARY]
        return table(chosen, [row for row in SUMMARY if row in known]) if chosen else []
    measurement, _, group = name.partition("/")
    chosen = [each for each in figures.get(measurement, ()) if each.group == group]
    return table(chosen) if chosen else []
