"""Search conditions as clauses of the query language, with the input escaped."""

from datetime import UTC, datetime

import pytest

from chat.operator.conditions import (
    ERROR_CODES,
    MAX_WORDS,
    NOTHING,
    Between,
    Condition,
    OneOf,
    Query,
    Words,
    in_state,
    one_of_ids,
)
from chat.operator.filters import parse_time
from chat.store.operation.inspection import BusySession, State

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "clause"),
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
        ("word " * 5_000, f"(@name:({' '.join(['word*'] * MAX_WORDS)}))"),
    ],
)
def test_only_the_words_of_an_input_reach_the_query_language(text: str, clause: str) -> None:
    assert Words("name", text).clause() == clause


@pytest.mark.parametrize(
    ("conditions", "clause"),
    [
        ([], "*"),
        ([one_of_ids([ID])], f"@id:{{{ID}}}"),
        ([one_of_ids(["*", "} | *"])], NOTHING),
        ([OneOf("id", frozenset(), negated=True)], "*"),
        ([OneOf("failure", frozenset({"model.timeout"}))], r"@failure:{model\.timeout}"),
        ([OneOf("failure", frozenset({"a} | *"}))], r"@failure:{a\}\ \|\ \*}"),
        ([OneOf("a|b", frozenset({"c"}))], "(@a:{c} | @b:{c})"),
        ([OneOf("a|b", frozenset({"c"}), negated=True)], "-(@a:{c} | @b:{c})"),
        ([Between("reply_ms", start=5000)], "@reply_ms:[5000 inf]"),
        (
            [Between("started", end=7.4), Between("message_time", 1, 2)],
            "@started:[-inf 7] @message_time:[1 2]",
        ),
    ],
)
def test_each_condition_is_a_clause(conditions: list[Condition], clause: str) -> None:
    assert Query(tuple(conditions)).clause() == clause


def test_a_state_depends_on_the_last_failure_and_on_busy_sessions() -> None:
    busy = [BusySession(ID, in_progress=False, messages=1)]
    is_failed = OneOf("last_failure", ERROR_CODES)
    is_busy = OneOf("id", frozenset({ID}))
    assert in_state(State.WAITING, busy) == (is_busy,)
    assert in_state(State.IN_PROGRESS, busy) == (OneOf("id", frozenset()),)
    not_busy = OneOf("id", frozenset({ID}), negated=True)
    assert in_state(State.FAILED, busy) == (is_failed, not_busy)
    assert in_state(State.IDLE, busy) == (
        OneOf("last_failure", ERROR_CODES, negated=True),
        not_busy,
    )


NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
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
def test_a_time_without_a_date_is_the_most_recent_one(text: str, time: datetime | None) -> None:
    assert parse_time(text, NOW) == time
