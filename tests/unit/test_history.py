"""The window of a conversation that the model is shown."""

import pytest

from chat.errors import ErrorCode
from chat.schemas import Failure, StoredMessage
from chat.worker.history import history_window
from tests.unit.builders import bot, human, named

FAILED = Failure(code=ErrorCode.MODEL_TIMEOUT, detail="Too late.", retryable=True)


def shown(messages: list[StoredMessage], answering: StoredMessage, most: int = 20) -> list[str]:
    return [turn.text for turn in history_window(messages, answering, most)]


def test_every_question_is_followed_by_its_own_reply() -> None:
    first, second, third = human("a", 1), human("b", 2), human("c", 5)
    messages = [first, second, bot("A", 3, "a"), bot("B", 4, "b"), third]

    assert shown(messages, third) == ["a?", "A.", "b?", "B.", "c?"]


def test_what_came_after_the_question_is_not_shown() -> None:
    first, second = human("a", 1), human("b", 2)

    assert shown([first, second, bot("A", 3, "a")], first) == ["a?"]


@pytest.mark.parametrize(
    "left_out",
    [
        {"error": FAILED},
        {"replaced_by": named("other")},
        {"msg": ""},
    ],
    ids=["failed", "replaced", "empty"],
)
def test_empty_replies_are_left_out(left_out: dict[str, object]) -> None:
    last = human("b", 3)

    assert shown([human("a", 1), bot("A", 2, "a", **left_out), last], last) == ["a?", "b?"]


def test_the_newest_reply_is_used_instead_of_a_replaced_one() -> None:
    last = human("b", 4)
    replaced = bot("old", 2, "a", replaced_by=named("new"))
    messages = [human("a", 1), replaced, bot("new", 3, "a", replaces=named("old")), last]

    assert shown(messages, last) == ["a?", "new.", "b?"]


def test_a_reply_written_again_is_not_shown_to_itself() -> None:
    question = human("a", 1)

    assert shown([question, bot("A", 2, "a")], question) == ["a?"]


def test_only_the_last_turns_are_shown() -> None:
    last = human("c", 5)
    messages = [human("a", 1), bot("A", 2, "a"), human("b", 3), bot("B", 4, "b"), last]

    assert shown(messages, last, most=4) == ["A.", "b?", "B.", "c?"]
