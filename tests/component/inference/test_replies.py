"""Complete replies, in every dialect and every format that servers use."""

import threading

import pytest

from inference.model_client import HttpModelClient, Turn, Usage
from inference.model_errors import ModelNoAnswer
from inference.prompt import estimate_tokens
from inference.reply_text import MAX_BYTES
from tests.component.inference.conftest import BuildClient
from tests.model_stub import Behaviour, ModelStub

TURNS = [Turn("human", "Hello"), Turn("bot", "Hi"), Turn("human", "Who are you?")]
UNICODE_TEXT = "Grüße 漢字 🎉 end"


def test_the_reply_is_to_the_last_message(client: HttpModelClient) -> None:
    with client.generate(TURNS) as generation:
        pieces = list(generation)
    assert pieces == ["You", " said:", " Who", " are", " you?"]
    assert generation.finish_reason == "stop"
    assert generation.usage == Usage(7, 5)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(text=UNICODE_TEXT),
        Behaviour(text=UNICODE_TEXT, split_bytes=True),
        Behaviour(text=UNICODE_TEXT, done=False),
        Behaviour(text=UNICODE_TEXT, finish_reason=None),
        Behaviour(text=UNICODE_TEXT, shape="object"),
        Behaviour(text=UNICODE_TEXT, shape="array"),
        Behaviour(text=UNICODE_TEXT, shape="object", split_bytes=True),
        Behaviour(text=UNICODE_TEXT, echo_prompt=True),
        Behaviour(text=UNICODE_TEXT, echo_prompt=True, shape="array"),
        Behaviour(pieces=(" ", UNICODE_TEXT, "\n", "Hu", "man", ": and now me")),
        Behaviour(text=f"\n{UNICODE_TEXT}\nHuman: more", shape="array"),
    ],
)
def test_every_response_format_yields_the_same_reply(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    with client.generate(TURNS) as generation:
        assert "".join(generation) == UNICODE_TEXT
    assert generation.finish_reason == "stop"


CONTINUED = [*TURNS[-1:], Turn("bot", "I am")]


def test_a_reply_is_continued(client: HttpModelClient, stub: ModelStub, api: str) -> None:
    stub.script(Behaviour(pieces=(" a", " bot", ".\n", "Hu", "man: x")))
    with client.generate(CONTINUED) as generation:
        assert "".join(generation) == " a bot."
    payload = stub.requests[-1].payload
    if api == "chat":
        assert payload["messages"][-1] == {"role": "assistant", "content": "I am"}
        assert payload["continue_final_message"] is True
        assert payload["add_generation_prompt"] is False
    else:
        assert payload.get("inputs", payload.get("prompt")).endswith("you?\nBot: I am")


@pytest.mark.parametrize("pieces", [(), ("",), (" ",), ("\n",)])
def test_a_reply_may_be_complete_when_it_is_continued(
    client: HttpModelClient, stub: ModelStub, pieces: tuple[str, ...]
) -> None:
    stub.script(Behaviour(pieces=pieces))
    with client.generate(CONTINUED) as generation:
        assert list(generation) == []
    assert generation.finish_reason == "stop"


def test_a_continuation_may_start_within_a_word(client: HttpModelClient, stub: ModelStub) -> None:
    stub.script(Behaviour(pieces=("az", "ing")))
    with client.generate(CONTINUED) as generation:
        assert "".join(generation) == "azing"


def test_a_reply_has_the_same_limit_after_it_was_continued(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(text="more" * 100))
    beginning = "x" * (MAX_BYTES - 10)
    with client.generate([*TURNS[-1:], Turn("bot", beginning)]) as generation:
        assert "".join(generation) == "moremoremo"
    assert generation.finish_reason == "length"


PIECES = ("one", " two", " three")


@pytest.mark.parametrize(
    ("behaviour", "has_more"),
    [
        (Behaviour(pieces=PIECES), [True, True, True]),
        (Behaviour(pieces=PIECES, shape="object"), [True]),
        (Behaviour(pieces=PIECES, piece_delay_s=0.5), [False, False, True]),
        (Behaviour(pieces=PIECES, piece_delay_s=0.5, split_bytes=True), [False, False, True]),
    ],
)
def test_has_more_is_true_while_another_piece_is_buffered(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour, has_more: list[bool]
) -> None:
    stub.script(behaviour)
    with client.generate(TURNS) as generation:
        assert [generation.has_more for _ in generation] == has_more


@pytest.mark.parametrize("shape", ["stream", "object"])
def test_a_truncated_reply_has_finish_reason_length(
    client: HttpModelClient, stub: ModelStub, shape: str
) -> None:
    stub.script(Behaviour(text="half a", finish_reason="length", shape=shape))  # type: ignore[arg-type]
    with client.generate(TURNS) as generation:
        assert "".join(generation) == "half a"
    assert generation.finish_reason == "length"


def test_a_stream_of_only_the_last_event_yields_its_text(
    build: BuildClient, stub: ModelStub
) -> None:
    last = '{"token":{"text":"","special":true},"generated_text":"all at once"}'
    stub.script(Behaviour(raw=f"data:{last}\n\n", headers={"Content-Type": "text/plain"}))
    with build().generate(TURNS) as generation:
        assert list(generation) == ["all at once"]


def test_each_piece_is_yielded_as_soon_as_it_arrives(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(pieces=("first", " second"), hang_after=1))
    with client.generate(TURNS) as generation:
        assert next(generation) == "first"


def test_text_from_a_generated_turn_on_is_dropped_and_the_connection_closed(
    build: BuildClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(pieces=("Yes.", "\nHuman:", " go on"), hang_after=2))
    with build().generate(TURNS) as generation:
        assert "".join(generation) == "Yes."
    assert generation.finish_reason == "stop"
    stub.wait_for(lambda requests: requests[0].disconnected_at_s is not None)


def test_the_huggingface_request_has_the_documented_fields(
    build: BuildClient, stub: ModelStub
) -> None:
    with build().generate(TURNS) as generation:
        list(generation)
    (request,) = stub.requests
    parameters = request.payload["parameters"]
    assert request.payload["inputs"] == "Human: Hello\nBot: Hi\nHuman: Who are you?\nBot:"
    assert request.payload["options"] == {"use_cache": False, "wait_for_model": False}
    assert request.payload["stream"] is True
    assert parameters["return_full_text"] is False
    assert parameters["max_new_tokens"] == 25
    assert parameters["stop"] == ["Human:"]
    assert request.headers["authorization"] == "Bearer hf_secret"
    assert request.headers["content-type"] == "application/json"


def test_the_completions_request_has_the_same_prompt(build: BuildClient, stub: ModelStub) -> None:
    with build("completions").generate(TURNS) as generation:
        list(generation)
    payload = stub.requests[0].payload
    assert payload["prompt"] == "Human: Hello\nBot: Hi\nHuman: Who are you?\nBot:"
    assert payload["max_tokens"] == 25
    assert payload["stop"] == ["Human:"]
    assert payload["model"] == "EleutherAI/gpt-j-6b"


def test_the_chat_request_has_roles(build: BuildClient, stub: ModelStub) -> None:
    with build("chat").generate(TURNS) as generation:
        list(generation)
    assert stub.requests[0].payload["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Who are you?"},
    ]
    assert "temperature" not in stub.requests[0].payload


def test_without_a_token_no_authorization_header_is_sent(
    build: BuildClient, stub: ModelStub
) -> None:
    with build(token=None).generate(TURNS) as generation:
        list(generation)
    assert "authorization" not in stub.requests[0].headers


def test_a_long_conversation_is_trimmed_to_the_context_size(
    build: BuildClient, stub: ModelStub
) -> None:
    turns = [Turn("human", f"{number} " + "long " * 300) for number in range(9)]
    with build(context_tokens=1000, max_new_tokens=100).generate(turns) as generation:
        list(generation)
    prompt = stub.requests[0].payload["inputs"]
    assert estimate_tokens(prompt) <= 900
    assert prompt.startswith("Human: 8 long")


def test_proxies_from_the_environment_are_not_used(
    build: BuildClient, stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with build().generate(TURNS) as generation:
        assert list(generation)


def test_threads_can_share_a_client(build: BuildClient, stub: ModelStub) -> None:
    client = build(max_connections=4)
    replies: dict[int, str] = {}

    def generate(number: int) -> None:
        for _ in range(5):
            with client.generate([Turn("human", f"number {number}")]) as generation:
                replies[number] = "".join(generation)

    threads = [threading.Thread(target=generate, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert replies == {number: f"You said: number {number}" for number in range(16)}


TAGGED = ("<th", "ink>", "She asks", " who I am.", "\n</think>\n\n", "A", " bot.")


@pytest.mark.parametrize("shape", ["stream", "object"])
def test_reasoning_in_tags_is_no_part_of_the_reply(
    client: HttpModelClient, stub: ModelStub, shape: str
) -> None:
    stub.script(Behaviour(pieces=TAGGED, shape=shape))  # type: ignore[arg-type]
    with client.generate(TURNS) as generation:
        pieces = list(generation)
    assert "".join(pieces) == "A bot."
    assert pieces[0] == ""
    assert generation.finish_reason == "stop"


@pytest.mark.parametrize("shape", ["stream", "object"])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_in_a_field_of_its_own_is_no_part_of_the_reply(
    build: BuildClient, stub: ModelStub, name: str, shape: str
) -> None:
    stub.script(
        Behaviour(
            text="A bot.",
            reasoning=("Human:", " asks"),
            reasoning_field=name,
            shape=shape,  # type: ignore[arg-type]
        )
    )
    with build("chat").generate(TURNS) as generation:
        pieces = list(generation)
    assert "".join(pieces) == "A bot."
    assert pieces.count("") == (2 if shape == "stream" else 1)


def test_text_before_a_closing_tag_without_an_opening_one_is_taken_back(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(pieces=("She", " asks", "</think>", "A", " bot.")))
    with client.generate(TURNS) as generation:
        assert list(generation) == ["She", " asks", "", "A", " bot."]


@pytest.mark.parametrize(
    ("pieces", "finish_reason"),
    [
        (("<think>", "She asks"), "length"),
        (("<think>", "She asks", "</think>", "\n"), "stop"),
        (("She asks", "</think>"), "length"),
        (("<think>", "x" * MAX_BYTES, "y"), "stop"),
    ],
)
def test_a_reply_of_only_reasoning_is_no_answer(
    client: HttpModelClient, stub: ModelStub, pieces: tuple[str, ...], finish_reason: str
) -> None:
    stub.script(Behaviour(pieces=pieces, finish_reason=finish_reason))
    with client.generate(TURNS) as generation, pytest.raises(ModelNoAnswer):
        list(generation)


@pytest.mark.parametrize("shape", ["stream", "object"])
def test_a_reply_of_only_reasoning_in_its_field_is_no_answer(
    build: BuildClient, stub: ModelStub, shape: str
) -> None:
    stub.script(
        Behaviour(pieces=(), reasoning=("She",), finish_reason="length", shape=shape)  # type: ignore[arg-type]
    )
    with build("chat").generate(TURNS) as generation, pytest.raises(ModelNoAnswer):
        list(generation)


@pytest.mark.parametrize("endless", ["<think>", "reasoning"])
def test_reasoning_counts_towards_the_limit_of_a_reply(
    build: BuildClient, stub: ModelStub, endless: str
) -> None:
    part = "x" * 1000
    if endless == "reasoning":
        behaviour = Behaviour(reasoning=(part,) * 100, hang_after=1)
    else:
        behaviour = Behaviour(pieces=("<think>", *(part,) * 100), hang_after=100)
    stub.script(behaviour)
    with build("chat").generate(TURNS) as generation, pytest.raises(ModelNoAnswer):
        list(generation)
    stub.wait_for(lambda requests: requests[0].disconnected_at_s is not None)


def test_a_long_reply_after_long_reasoning_is_cut(build: BuildClient, stub: ModelStub) -> None:
    half = "x" * (MAX_BYTES // 2)
    stub.script(Behaviour(pieces=(f"<think>{half}</think>", half, half)))
    with build().generate(TURNS) as generation:
        text = "".join(generation)
    assert MAX_BYTES // 2 - 20 < len(text) <= MAX_BYTES // 2
    assert generation.finish_reason == "length"
