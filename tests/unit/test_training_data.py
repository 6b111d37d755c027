"""Exported ratings have the prompt that the model would be sent."""

from chat.operator.export import kto_examples
from chat.schemas import StoredMessage
from tests.unit.builders import NOON, bot, human, id_of, session


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def remark(seq: int) -> StoredMessage:
    """What an operator wrote without a message to answer."""
    return StoredMessage(
        id=id_of(f"r{seq}"), seq=seq, source="operator", msg=f"remark {seq}", timestamp=NOON
    )


def test_messages_of_an_operator_are_the_assistants() -> None:
    """Two messages are answered together, a remark follows, then the model replies."""
    stored = session(
        remark(1),
        human("a", 2),
        human("b", 3),
        bot("A", 4, "a", source="operator", msg="", finish_reason="answered_together"),
        bot("B", 5, "b", source="operator", operator="Grace", rating="up"),
        remark(6),
        human("c", 7),
        bot("C", 8, "c", rating="down", comment="why"),
    )
    first = [user("a?\n\nb?")]
    second = [*first, assistant("B.\n\nremark 6"), user("c?")]
    assert list(kto_examples(stored)) == [
        {"prompt": first, "completion": [assistant("B.")], "label": True},
        {"prompt": second, "completion": [assistant("C.")], "label": False, "comment": "why"},
    ]


def test_a_message_whose_reply_failed_stays_in_the_prompt() -> None:
    failure = {"code": "model.timeout", "detail": "-", "retryable": True}
    stored = session(
        human("a", 1),
        bot("A", 2, "a", error=failure),
        human("b", 3),
        bot("B", 4, "b", rating="up"),
    )
    [example] = kto_examples(stored)
    assert example["prompt"] == [user("a?\n\nb?")]
