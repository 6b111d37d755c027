"""How each codec writes frames."""

import json
from uuid import UUID

import pytest

from chat.errors import ErrorCode
from chat.protocol import (
    Error,
    MessageAccepted,
    MessageSend,
    ReplyCompleted,
    ReplyDelta,
    ReplyFailed,
    ReplyStarted,
    SessionExpired,
)
from chat.schemas import Failure
from chat.websocket.codecs import ChatV1Codec, PlainCodec
from tests.unit.builders import NOON, bot, human, named

FAILURE = Failure(code=ErrorCode.MODEL_TIMEOUT, detail="It took too long.", retryable=True)


def plain_reply(frame: object) -> dict[str, str] | None:
    text = PlainCodec().encode(frame)  # type: ignore[arg-type]
    return json.loads(text) if text else None


def test_plain_text_is_one_message_verbatim() -> None:
    frame = PlainCodec().decode('  {"type": "x"}\n')

    assert isinstance(frame, MessageSend)
    assert frame.msg == '  {"type": "x"}\n'
    assert isinstance(frame.id, UUID)


def test_a_plain_reply_has_three_fields() -> None:
    assert plain_reply(ReplyCompleted(message=bot("A", 2, "a").public())) == {
        "id": str(named("A")),
        "msg": "A.",
        "timestamp": "2026-01-01T12:00:00.000Z",
    }


def test_a_plain_failure_has_the_same_shape() -> None:
    failed = ReplyFailed(message=bot("A", 2, "a", msg="half", error=FAILURE).public())

    received = plain_reply(failed)

    assert received == {
        "id": str(named("A")),
        "msg": "It took too long.",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "error": "model.timeout",
    }


def test_a_plain_error_has_the_same_shape() -> None:
    received = plain_reply(Error(code=ErrorCode.MESSAGE_EMPTY, detail="Type something."))

    assert received is not None
    assert received["error"] == "message.empty"
    assert received["msg"] == "Type something."
    assert set(received) == {"id", "msg", "timestamp", "error"}


@pytest.mark.parametrize(
    "frame",
    [
        MessageAccepted(message=human("a", 1).public()),
        ReplyStarted(reply_to=named("a"), id=named("A")),
        ReplyDelta(reply_to=named("a"), id=named("A"), offset=0, text="x"),
        SessionExpired(expires_at=NOON),
    ],
    ids=lambda frame: frame.type,
)
def test_plain_sends_nothing_else(frame: object) -> None:
    assert plain_reply(frame) is None


def test_chat_v1_leaves_out_what_has_no_value() -> None:
    text = ChatV1Codec().encode(MessageAccepted(message=human("a", 1).public()))

    assert text
    assert json.loads(text) == {
        "type": "message.accepted",
        "message": {
            "id": str(named("a")),
            "seq": 1,
            "source": "human",
            "msg": "a?",
            "timestamp": "2026-01-01T12:00:00.000Z",
            "reply_to": None,
        },
    }


def test_clients_never_get_the_operators_record() -> None:
    record = {"attempts": 2, "worker": "host:1", "model": "gpt-j"}

    text = ChatV1Codec().encode(ReplyCompleted(message=bot("A", 2, "a", record=record).public()))

    assert text
    assert "host:1" not in text
