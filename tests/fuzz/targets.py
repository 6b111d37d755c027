"""What parses input of clients and model servers in this process.

Each target is a property test. Whatever the input, it raises nothing but the documented error.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.events.published_frame import InvalidEvent, PublishedFrame, frames_event, frames_of
from chat.protocol import (
    Error,
    InvalidFrame,
    ReplyDelta,
    check_message,
    check_size,
    parse_frame,
    server_frames,
)
from chat.websocket.codecs import ChatV1Codec, PlainCodec
from chat.websocket.handshake import parse_handshake
from chat.websocket.origins import SameOriginValidator
from inference.cancellable_http import Call
from inference.dialect import Dialect
from inference.error_responses import error_in_event, error_of_status, parse_retry_after
from inference.event_stream import JsonEvents, SseDecoder
from inference.generation import Generation
from inference.huggingface import HuggingFace
from inference.model_errors import ModelBadReply, ModelError
from inference.openai import Chat, Completions
from inference.prompt import Turn, build_messages, build_prompt, estimate_tokens
from inference.reply_text import MAX_BYTES
from inference.transport import ModelResponse, Transport
from tests.fuzz import strategies

CONTEXT_TOKENS, NEW_TOKENS = 2048, 25
DIALECTS: tuple[Dialect, ...] = (
    HuggingFace(CONTEXT_TOKENS, NEW_TOKENS),
    Completions("model", CONTEXT_TOKENS, NEW_TOKENS),
    Chat("model", CONTEXT_TOKENS, NEW_TOKENS),
)
SPECIAL_TOKENS = re.compile(r"<\||\[/?INST\]|</?s>|<start_of_turn>|<</?SYS>>")


@given(strategies.frame_texts)
def test_a_client_frame_is_parsed_or_described_as_invalid(text: str) -> None:
    for codec in (ChatV1Codec(), PlainCodec()):
        try:
            frame = codec.decode(text)
        except InvalidFrame as error:
            # The description, with the id of the frame, can be sent back.
            sent = Error(code=error.code, detail=error.detail, ref=error.ref).model_dump_json()
            assert len(sent.encode()) < 1000
            continue
        if codec.subprotocol:
            assert parse_frame(frame.model_dump_json()) == frame
        with suppress(ChatError):
            check_message(getattr(frame, "msg", ""), 2000)


# Web servers deliver no text that cannot be encoded.
@given(st.text())
def test_any_text_has_a_size(text: str) -> None:
    with suppress(ChatError):
        check_size(text)


@given(strategies.json_values(["frames", "positions", "type", "id", "seq"], ["reply.delta", []]))
def test_an_event_of_the_channel_layer_is_parsed_or_invalid(event: Any) -> None:
    with suppress(InvalidEvent):
        frames_of(event if isinstance(event, dict) else {"frames": event, "positions": event})


deltas = st.builds(
    ReplyDelta, reply_to=st.uuids(), id=st.uuids(), offset=st.integers(0, 10**6), text=st.text()
)


@given(st.lists(deltas, max_size=3))
def test_a_published_frame_arrives_as_it_was_sent(sent: list[ReplyDelta]) -> None:
    received = frames_of(frames_event(sent, None))
    assert received == [PublishedFrame.of(delta) for delta in sent]
    assert [server_frames.validate_json(frame.json) for frame in received] == sent


subprotocols = st.lists(
    st.one_of(st.sampled_from(["chat.v1", f"token.{strategies.ID}"]), strategies.any_text),
    max_size=4,
)
queries = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda token, after: f"token={quote(token)}&after={quote(after)}".encode(),
        st.text(max_size=40),
        st.text(st.sampled_from("0123456789-+.e\u0660\u00b2 "), max_size=12),
    ),
)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"cookie", b"origin", b"host", b"user-agent"]),
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"http://[", b"http://a:b", b"null", b"chat_token=x; a=\x00", b"//"]),
        ),
    ),
    max_size=4,
)


@given(subprotocols, queries, headers)
def test_a_handshake_is_parsed(
    offered: list[str], query: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    handshake = parse_handshake(
        {"subprotocols": offered, "query_string": query, "headers": fields, "client": None}
    )
    assert 0 <= handshake.after < 10**9
    assert handshake.session is None or re.fullmatch("[0-9a-f]{32}", handshake.session)


@given(headers)
def test_an_origin_is_allowed_or_not(fields: list[tuple[bytes, bytes]]) -> None:
    outcomes = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        outcomes.append("accepted")

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Mapping[str, Any]) -> None:
        outcomes.append(message["type"])

    validator = SameOriginValidator(application, ["https://chat.example"])
    scope = {"type": "websocket", "path": "/chat", "headers": fields}
    finish(validator(scope, receive, send))
    assert outcomes in (["accepted"], ["websocket.close"])


def finish(coroutine: Any) -> None:
    """Run a coroutine that never waits."""
    with suppress(StopIteration):
        coroutine.send(None)
        raise AssertionError("it waits")


@given(strategies.bodies(), st.integers(1, 9))
def test_any_split_of_a_stream_gives_the_same_events(body: bytes, size: int) -> None:
    decoder, split = SseDecoder(), SseDecoder()
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    events = [event for part in parts for event in split.feed(part)] + split.finish()
    assert events == decoder.feed(body) + decoder.finish()


class Body:
    """A response of a model server that is already here."""

    status = 200
    retry_after: str | None = None

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def has_more(self) -> bool:
        return False

    def limit_rest(self, timeout_s: float) -> None:
        """Do nothing: there is nothing to wait for."""

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing."""


class Responses:
    """A transport that always receives the same response."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def post(self, payload: object, call: Call, request_id: str | None) -> ModelResponse:
        return cast(ModelResponse, self._body)


@given(strategies.chunks())
def test_a_body_is_json_values_or_a_bad_reply(parts: list[bytes]) -> None:
    with suppress(ModelBadReply):
        list(JsonEvents(Body(parts)))


@given(st.one_of(strategies.events, strategies.replies), st.integers(100, 999), st.booleans())
def test_a_json_value_is_a_chunk_or_an_error(event: Any, status: int, is_whole: bool) -> None:
    error = error_in_event(event)
    assert error is None or isinstance(error, ModelError)
    assert isinstance(error_of_status(status, event if is_whole else None), ModelError)
    for dialect in DIALECTS:
        with suppress(ModelBadReply):
            chunk = dialect.parse_event(event)
            assert isinstance(chunk.text, str)


@given(st.one_of(strategies.any_text, strategies.numbers.map(str)))
def test_retry_after_is_a_time_or_nothing(value: str) -> None:
    seconds = parse_retry_after(value, now_s=0.0)
    assert seconds is None or 0 <= seconds < float("inf")


@given(
    strategies.chunks(),
    st.sampled_from(DIALECTS),
    st.sampled_from([200, 200, 200, 302, 400, 429, 500, 503]),
    st.one_of(st.none(), strategies.any_text),
    strategies.turn_texts,
    st.one_of(st.just(""), strategies.turn_texts),
)
def test_a_reply_is_text_or_an_error(
    parts: list[bytes],
    dialect: Dialect,
    status: int,
    retry_after: str | None,
    text: str,
    beginning: str,
) -> None:
    body = Body(parts)
    body.status, body.retry_after = status, retry_after
    begun = [Turn("bot", beginning)] if beginning else []
    request = dialect.build_request([Turn("human", text), *begun])
    transport = cast(Transport, Responses(body))
    with Generation(transport, dialect, request, None, beginning) as generation:
        pieces = []
        with suppress(ModelError):
            for piece in generation:
                pieces.append(piece)  # noqa: PERF402 kept if a later one fails
            assert generation.finish_reason in ("stop", "length")
            # A reply that is continued may be complete.
            assert pieces or beginning
            # After the reasoning there is a reply.
            assert pieces[-1:] != [""]
    assert len("".join(pieces).encode()) <= MAX_BYTES
    assert not set("".join(pieces)) & set("\x00\x1b\x7f")


turns = st.lists(
    st.builds(Turn, st.sampled_from(["human", "bot"]), strategies.turn_texts),
    min_size=1,
    max_size=6,
)


@given(turns, st.integers(20, 300))
def test_no_text_adds_a_turn_to_a_prompt(conversation: list[Turn], budget: int) -> None:
    prompt = build_prompt(conversation, budget)
    assert estimate_tokens(prompt) <= budget
    assert not SPECIAL_TOKENS.search(prompt)
    assert len(labels(prompt)) <= len(conversation) + 1


@given(turns, st.integers(20, 300))
def test_messages_alternate_and_fit(conversation: list[Turn], budget: int) -> None:
    messages = build_messages(conversation, budget)
    roles = [message.role for message in messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2)
    assert sum(estimate_tokens(message.content) for message in messages) <= budget
    assert not any(SPECIAL_TOKENS.search(message.content) for message in messages)


def labels(prompt: str) -> list[str]:
    """Return the lines that read as the start of a turn once decoration is removed."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKC", prompt)
        if character == "\n" or unicodedata.category(character)[0] not in "CMZ"
    )
    return re.findall(r"^[^\w\n]*_*(?:human|bot)[^\w\n:]*:", plain, re.MULTILINE | re.IGNORECASE)
