"""How each codec encodes and decodes frames."""

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
from tests.unit.builders import NOON, bot, human, id_of

FAILURE = Failure(code=ErrorCode.MODEL_TIMEOUT, detail="It took too long.", retryable=True)


def encode_plain(frame: object) -> dict[str, str] | None:
    text = PlainCodec().encode(frame)  # type: ignore[arg-type]
    return json.loads(text) if text else None


def test_plain_text_is_one_message_verbatim() -> None:
    frame = PlainCodec().decode('  {"type": "x"}\n')

    assert isinstance(frame, MessageSend)
    assert frame.msg == '  {"type": "x"}\n'
    assert isinstance(frame.id, UUID)


def test_a_encode_plain_has_three_fields() -> None:
    assert encode_plain(ReplyCompleted(message=bot("A", 2, "a").public())) == {
        "id": str(id_of("A")),
        "msg": "A.",
        "timestamp": "2026-01-01T12:00:00.000Z",
    }


def test_a_plain_failure_has_the_same_fields_and_an_error() -> None:
    failed = ReplyFailed(message=bot("A", 2, "a", msg="half", error=FAILURE).public())

    encoded = encode_plain(failed)

    assert encoded == {
        "id": str(id_of("A")),
        "msg": "It took too long.",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "error": "model.timeout",
    }


def test_a_plain_error_has_the_same_fields_as_a_failure() -> None:
    encoded = encode_plain(Error(code=ErrorCode.MESSAGE_EMPTY, detail="Type something."))

    assert encoded is not None
    assert encoded["error"] == "message.empty"
    assert encoded["msg"] == "Type something."
    assert set(encoded) == {"id", "msg", "timestamp", "error"}


@pytest.mark.parametrize(
    "frame",
    [
        MessageAccepted(message=human("a", 1).public()),
        ReplyStarted(reply_to=id_of("a"), id=id_of("A")),
        ReplyDelta(reply_to=id_of("a"), id=id_of("A"), offset=0, text="x"),
        SessionExpired(expires_at=NOON),
    ],
    ids=lambda frame: frame.type,
)
def test_the_plain_codec_encodes_no_other_frames(frame: object) -> None:
    assert encode_plain(frame) is None


def test_chat_v1_omits_fields_without_a_value() -> None:
    text = ChatV1Codec().encode(MessageAccepted(message=human("a", 1).public()))

    assert text
    assert json.loads(text) == {
        "type": "message.accepted",
        "message": {
            "id": str(id_of("a")),
            "seq": 1,
            "source": "human",
            "msg": "a?",
            "timestamp": "2026-01-01T12:00:00.000Z",
            "reply_to": None,
        },
    }


def test_the_record_of_a_reply_is_not_sent_to_clients() -> None:
    record = {"attempts": 2, "worker": "host:1", "model": "gpt-j"}

    text = ChatV1Codec().encode(ReplyCompleted(message=bot("A", 2, "a", record=record).public()))

    assert text
    assert "host:1" not in text
