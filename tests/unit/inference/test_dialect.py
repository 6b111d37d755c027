"""Values of a server's JSON are checked before anything uses them."""

import pytest

from inference.dialect import MAX_COUNT, as_count


@pytest.mark.parametrize("value", [0, 7, MAX_COUNT])
def test_a_token_count_is_a_whole_number(value: int) -> None:
    assert as_count(value) == value


@pytest.mark.parametrize("value", [-1, 10**25, 1e25, 1.5, True, "7", None, [7]])
def test_anything_else_is_no_token_count(value: object) -> None:
    assert as_count(value) is None
