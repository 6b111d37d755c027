"""Medians, spreads, ratios and tables of measurements."""

from collections.abc import Iterator

import pytest

from bench._figures import OURS, Figure, alternate, as_markdown, as_text, percentiles, table

OURS_MS = Figure("round trip (ms)", OURS, (5.0, 4.0, 6.0))
PLAIN_MS = Figure("round trip (ms)", "plain", (10.0, 10.0, 8.0))


def test_a_figure_is_the_median_of_its_rounds_with_the_extremes() -> None:
    assert str(OURS_MS) == "5 (4 to 6)"
    assert OURS_MS.as_json() == {
        "name": "round trip (ms)",
        "system": OURS,
        "values": (5.0, 4.0, 6.0),
        "group": "",
        "median": 5.0,
        "low": 4.0,
        "high": 6.0,
    }


def test_a_ratio_compares_round_by_round() -> None:
    ratio = OURS_MS.ratio(PLAIN_MS)
    assert ratio.values == (0.5, 0.4, 0.75)
    assert ratio.system == "this project : plain"


def test_a_ratio_leaves_out_rounds_in_which_the_other_was_zero() -> None:
    assert OURS_MS.ratio(Figure("", "plain", (0.0, 8.0, 8.0))).values == (0.5, 0.75)


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (340.4, "340"), (5.678, "5.68"), (0.0, "0"), (0.00012, "1.2e-04")],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert str(Figure("", "", (value,))) == text


def test_systems_are_measured_in_turn() -> None:
    order: list[str] = []

    def measure(system: str, values: Iterator[float]) -> dict[str, float]:
        order.append(system)
        return {"ms": next(values)}

    first, second = iter([1.0, 2.0]), iter([3.0, 4.0])
    figures = alternate(
        {"a": lambda: measure("a", first), "b": lambda: measure("b", second)}, rounds=2
    )
    assert order == ["a", "b", "a", "b"]
    assert figures == [Figure("ms", "a", (1.0, 2.0)), Figure("ms", "b", (3.0, 4.0))]


def test_a_table_has_a_column_for_each_system_and_ratio() -> None:
    only_ours = Figure("frames", OURS, (1.0,))
    rows = table([OURS_MS, PLAIN_MS, only_ours])
    assert rows == [
        ["", OURS, "plain", "this project : plain"],
        ["round trip (ms)", "5 (4 to 6)", "10 (8 to 10)", "0.5 (0.4 to 0.75)"],
        ["frames", "1", "", ""],
    ]
    assert as_markdown(rows)[1] == "| --- | --: | --: | --: |"
    assert as_text(rows)[2] == "frames                      1"


def test_percentiles_of_one_value_are_that_value() -> None:
    assert percentiles([3.0]) == (3.0, 3.0)
    assert percentiles([float(each) for each in range(101)]) == (50.0, 99.0)
