"""Client frames are parsed by their type, and invalid ones are described in a sentence."""

import json
from uuid import UUID

import pytest

from chat.errors import MessageEmpty, MessageTooLong
from chat.protocol import (
    MAX_FRAME_BYTES,
    InvalidFrame,
    MessageSend,
    ReplyStop,
    SessionSync,
    check_message,
    check_size,
    parse_frame,
)

ID = "5f4dcc3b-5aa7-45d6-9d83-27deb882cf99"


def test_frames_are_parsed_by_their_type() -> None:
    assert parse_frame(f'{{"type":"message.send","id":"{ID}","msg":"hi"}}') == MessageSend(
        id=UUID(ID), msg="hi"
    )
    assert parse_frame(f'{{"type":"reply.stop","reply_to":"{ID}"}}') == ReplyStop(reply_to=UUID(ID))
    assert parse_frame('{"type":"session.sync","after":7}') == SessionSync(after=7)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not valid JSON"),
        ("hello", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 5_000, "not valid JSON"),
        ("\ud800", "not valid JSON"),
        (f'{{"type":"message.send","id":"{ID}","msg":"\\ud800"}}', "not valid JSON"),
        ("[]", "JSON object"),
        ("7", "JSON object"),
        ("null", "JSON object"),
        ("{}", "no known type"),
        ('{"type":"message.shout"}', "no known type"),
        ('{"type":7}', "no known type"),
        ('{"type":["message.send"]}', "no known type"),
        ('{"type":"message.send","msg":"hi"}', "field id"),
        ('{"type":"message.send","id":"x","msg":"hi"}', "field id"),
        (
            f'{{"type":"message.send","id":"{ID.upper()}","msg":"hi"}}',
            "The field id must be a UUID in lower case with hyphens.",
        ),
        (f'{{"type":"message.send","id":"{{{ID}}}","msg":"hi"}}', "in lower case with hyphens"),
        (f'{{"type":"message.send","id":"urn:uuid:{ID}","msg":"hi"}}', "in lower case"),
        (f'{{"type":"reply.stop","reply_to":"{ID.upper()}"}}', "The field reply_to must be"),
        ('{"type":"reply.regenerate","reply_to":7}', "The field reply_to must be"),
        (f'{{"type":"message.send","id":"{ID}"}}', "field msg"),
        (f'{{"type":"message.send","id":"{ID}","msg":7}}', "field msg"),
        ('{"type":"session.sync","after":-1}', "field after"),
        ('{"type":"session.sync","after":1e400}', "not"),
    ],
)
def test_an_invalid_frame_is_described_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidFrame, match=sentence):
        parse_frame(text)


def test_the_error_refers_to_the_id_of_the_frame() -> None:
    with pytest.raises(InvalidFrame) as rejected:
        parse_frame('{"type":"message.send","id":"my-7","msg":"hi"}')
    assert rejected.value.ref == "my-7"


@pytest.mark.parametrize("reference", [7, None, ["x"], "x" * 65])
def test_an_invalid_id_is_not_referred_to(reference: object) -> None:
    with pytest.raises(InvalidFrame) as rejected:
        parse_frame(json.dumps({"type": "message.send", "id": reference, "msg": "hi"}))
    assert rejected.value.ref is None


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000\u200a"])
def test_blank_messages_are_rejected(text: str) -> None:
    with pytest.raises(MessageEmpty):
        check_message(text, 2_000)


def test_a_message_longer_than_the_limit_is_rejected() -> None:
    check_message("é" * 2_000, 2_000)
    with pytest.raises(MessageTooLong, match="2001 characters; at most 2000"):
        check_message("é" * 2_001, 2_000)


def test_a_frame_is_measured_in_bytes() -> None:
    check_size("x" * MAX_FRAME_BYTES)
    with pytest.raises(MessageTooLong):
        check_size("x" * (MAX_FRAME_BYTES + 1))
    with pytest.raises(MessageTooLong):
        check_size("é" * (MAX_FRAME_BYTES // 2 + 1))
