"""The file of a run, and the tables that are written from it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.__main__ import main, names
from bench._figures import OURS, Figure
from bench._results import Results, load_figures
from bench._tables import BLOCK, FILES, SUMMARY, with_tables

RESULTS = Results(
    started_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    python="3.11.7",
    cores=2,
    load=0.5,
    lines={"messages": ["a line"], "capacity": []},
    figures={
        "messages": [
            Figure("Round trip, p50 (ms)", OURS, (5.0,)),
            Figure("Round trip, p50 (ms)", "plain", (10.0,)),
            Figure("something else", OURS, (1.0,)),
        ],
        "capacity": [
            Figure("GPUs", "1,000 visitors", (1.0,), "needs"),
            Figure("a token", "web", (2.0,), "costs"),
        ],
    },
)


def test_a_file_contains_the_figures_their_statistics_and_ratios(tmp_path: Path) -> None:
    path = RESULTS.write(tmp_path)
    assert path.name == "2026-03-01T123000Z.json"
    document = json.loads(path.read_text())
    assert document.keys() == {"started_at", "python", "cores", "load", "measurements"}
    assert document["started_at"] == "2026-03-01T12:30:00+00:00"
    messages = document["measurements"]["messages"]
    assert messages["lines"] == ["a line"]
    assert messages["figures"][0]["median"] == 5.0
    [ratio] = messages["ratios"]
    assert (ratio["system"], ratio["values"]) == ("this project : plain", [0.5])


def test_later_files_replace_the_measurements_that_they_contain(tmp_path: Path) -> None:
    first = RESULTS.write(tmp_path / "first")
    later = Results(lines={"messages": []}, figures={"messages": [Figure("ms", OURS, (1.0,))]})
    figures = load_figures([first, later.write(tmp_path / "later")])
    assert figures["messages"] == [Figure("ms", OURS, (1.0,))]
    assert figures["capacity"] == RESULTS.figures["capacity"]


def test_tables_are_written_between_their_comments() -> None:
    text = (
        "before\n<!-- bench: capacity/needs -->\nold\n<!-- bench: end -->\nbetween\n"
        "<!-- bench: summary -->\n<!-- bench: end -->\n"
        "<!-- bench: idle -->\nkept\n<!-- bench: end -->\n"
    )
    expected = (
        "before\n<!-- bench: capacity/needs -->\n\n"
        "|  | 1,000 visitors |\n| --- | --: |\n| GPUs | 1 |\n\n<!-- bench: end -->\nbetween\n"
        "<!-- bench: summary -->\n\n"
        f"|  | {OURS} | plain | this project : plain |\n| --- | --: | --: | --: |\n"
        "| Round trip, p50 (ms) | 5 | 10 | 0.5 |\n\n<!-- bench: end -->\n"
        "<!-- bench: idle -->\nkept\n<!-- bench: end -->\n"
    )
    assert with_tables(text, RESULTS.figures) == expected
    assert with_tables(expected, RESULTS.figures) == expected


def test_every_table_of_the_documentation_is_that_of_a_measurement() -> None:
    blocks = [block["name"] for path in FILES for block in BLOCK.finditer(path.read_text())]
    assert {name.partition("/")[0] for name in blocks} <= {"summary", *names()}
    assert "summary" in blocks
    assert len(SUMMARY) == len(set(SUMMARY))


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["dance"])
    assert refused.value.code == 2
    assert "no such measurement: dance" in capsys.readouterr().err
