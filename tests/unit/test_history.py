"""The window of a conversation that is sent to the model."""

import pytest

from chat.errors import ErrorCode
from chat.schemas import Failure, StoredMessage
from chat.worker.history import history_window
from tests.unit.builders import bot, human, id_of

FAILED = Failure(code=ErrorCode.MODEL_TIMEOUT, detail="Too late.", retryable=True)


def window_texts(
    messages: list[StoredMessage], message: StoredMessage, size: int = 20
) -> list[str]:
    return [turn.text for turn in history_window(messages, message, size)]


def test_every_message_is_followed_by_its_own_reply() -> None:
    first, second, third = human("a", 1), human("b", 2), human("c", 5)
    messages = [first, second, bot("A", 3, "a"), bot("B", 4, "b"), third]

    assert window_texts(messages, third) == ["a?", "A.", "b?", "B.", "c?"]


def test_later_messages_are_not_sent() -> None:
    first, second = human("a", 1), human("b", 2)

    assert window_texts([first, second, bot("A", 3, "a")], first) == ["a?"]


@pytest.mark.parametrize(
    "left_out",
    [
        {"error": FAILED},
        {"replaced_by": id_of("other")},
        {"msg": ""},
    ],
    ids=["failed", "replaced", "empty"],
)
def test_empty_replies_are_left_out(left_out: dict[str, object]) -> None:
    last = human("b", 3)

    assert window_texts([human("a", 1), bot("A", 2, "a", **left_out), last], last) == ["a?", "b?"]


def test_the_newest_reply_is_used_instead_of_a_replaced_one() -> None:
    last = human("b", 4)
    replaced = bot("old", 2, "a", replaced_by=id_of("new"))
    messages = [human("a", 1), replaced, bot("new", 3, "a", replaces=id_of("old")), last]

    assert window_texts(messages, last) == ["a?", "new.", "b?"]


def test_an_edited_question_and_what_followed_it_are_left_out() -> None:
    by_edit = {"replaced_by": id_of("c")}
    last = human("c", 5)
    messages = [
        *(human("a", 1), bot("A", 2, "a")),
        *(human("b", 3, **by_edit), bot("B", 4, "b", **by_edit)),
        last,
    ]

    assert window_texts(messages, last) == ["a?", "A.", "c?"]


def test_a_reply_that_is_regenerated_is_not_sent() -> None:
    message = human("a", 1)

    assert window_texts([message, bot("A", 2, "a")], message) == ["a?"]


def test_only_the_last_turns_are_sent() -> None:
    last = human("c", 5)
    messages = [human("a", 1), bot("A", 2, "a"), human("b", 3), bot("B", 4, "b"), last]

    assert window_texts(messages, last, size=4) == ["A.", "b?", "B.", "c?"]
