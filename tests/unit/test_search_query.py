"""What an operator typed, as a query of the search module: only words get through."""

from datetime import UTC, datetime

import pytest

from chat.errors import ErrorCode
from chat.operator.filters import read_moment
from chat.operator.search_query import NOTHING, BusySets, Query, Span, expression
from chat.store.inspection import State

NOBODY = BusySets(frozenset(), frozenset())
ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ada", "(@name:(ada*))"),
        ("bot hung", "(@name:(bot* hung*))"),
        ("Grüße", "(@name:(grüße*))"),
        ("x", "(@name:(x))"),
        ("don't", "(@name:(don* t))"),
        ('*") | (@msg:secret', "(@name:(msg* secret*))"),
        ("@id:{a} | -x ~y %z% $p =>{$w:1}", "(@name:(id* a x y z p w 1))"),
        ("w'*a*'", "(@name:(w a))"),
        ("0123abcd", "((@name:(0123abcd*)) | (@id:{0123abcd*}))"),
        ("\\", NOTHING),
        ("😀", NOTHING),
        ("  ", "*"),
    ],
)
def test_of_a_search_only_words_remain(text: str, wanted: str) -> None:
    assert expression(Query(text=text), NOBODY) == wanted


def test_messages_are_searched_only_for_those_who_may_read_them() -> None:
    assert "@name|msg:" in expression(Query(text="ada", in_texts=True), NOBODY)
    assert "msg" not in expression(Query(text="ada", in_texts=False), NOBODY)


def test_a_search_has_a_bounded_number_of_words() -> None:
    assert expression(Query(text="word " * 5_000), NOBODY).count("word*") == 12


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(), "*"),
        (Query(state=State.WAITING), NOTHING),
        (Query(ids=frozenset([ID])), f"@id:{{{ID}}}"),
        (Query(ids=frozenset(["*", "} | *"])), NOTHING),
        (Query(failure=ErrorCode.MODEL_TIMEOUT), r"@failure:{model\.timeout}"),
        (Query(took=Span(start=5000)), "@took:[5000 +inf]"),
        (Query(started=Span(end=7.4), said=Span(1, 2)), "@started:[-inf 7] @said:[1 2]"),
    ],
)
def test_each_condition_is_a_clause(query: Query, wanted: str) -> None:
    assert expression(query, NOBODY) == wanted


def test_idle_leaves_out_failures_and_those_with_something_to_answer() -> None:
    busy = BusySets(waiting=frozenset([ID]), writing=frozenset())
    assert expression(Query(state=State.WAITING), busy) == f"@id:{{{ID}}}"
    idle = expression(Query(state=State.IDLE), busy)
    assert idle.startswith("-@last_failure:{")
    assert idle.endswith(f"-@id:{{{ID}}}")


NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("09:10", datetime(2026, 3, 2, 9, 10, tzinfo=UTC)),
        (" 9:10 ", datetime(2026, 3, 2, 9, 10, tzinfo=UTC)),
        ("23:59", datetime(2026, 3, 1, 23, 59, tzinfo=UTC)),
        ("2026-02-28 07:00", datetime(2026, 2, 28, 7, 0, tzinfo=UTC)),
        ("2026-02-30 07:00", None),
        ("25:00", None),
        ("ten past nine", None),
        ("", None),
    ],
)
def test_a_time_of_day_is_the_last_time_it_was_that_time(
    text: str, wanted: datetime | None
) -> None:
    assert read_moment(text, NOW) == wanted
