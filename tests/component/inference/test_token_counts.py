"""Tokens are counted by the server where it can, each text once."""

from collections.abc import Callable
from typing import Any

import pytest

from inference.model_client import HttpModelClient, Turn
from inference.prompt import estimate_tokens
from tests.component.inference.conftest import BuildClient
from tests.model_stub import ModelStub

LIMITS: dict[str, Any] = {"context_tokens": 400, "max_new_tokens": 100}
LONG = "one two three four five six seven eight nine ten "


def tokens_of(text: str) -> list[int]:
    """A tokenizer that needs far less than the estimate."""
    return list(range((len(text) + 9) // 10))


FORMS: dict[str, Callable[[str], Any]] = {
    "llama.cpp": lambda text: {"tokens": tokens_of(text)},
    "vllm": lambda text: {"count": len(tokens_of(text)), "max_model_len": 2048},
    "tgi": lambda text: [{"id": each, "text": "x"} for each in tokens_of(text)],
}


def conversation(turns: int) -> list[Turn]:
    sources: list[Any] = ["human", "bot"]
    return [Turn(sources[at % 2], f"{at} {LONG * 2}") for at in range(turns)]


def sent(stub: ModelStub) -> int:
    """Return how many turns the last request contained."""
    payload = str(stub.requests[-1].payload)
    return sum(f"{at} one two" in payload for at in range(100))


def ask(client: HttpModelClient, turns: list[Turn]) -> None:
    with client.generate(turns) as generation:
        assert "".join(generation)


@pytest.mark.parametrize("form", FORMS)
def test_more_turns_fit_if_the_server_counts(
    build: BuildClient, stub: ModelStub, api: str, form: str
) -> None:
    client = build(api, **LIMITS)
    ask(client, conversation(31))
    estimated = sent(stub)
    stub.tokenize(FORMS[form])
    ask(build(api, **LIMITS), conversation(31))
    assert sent(stub) > 2 * estimated


def test_each_text_is_counted_once(build: BuildClient, stub: ModelStub) -> None:
    stub.tokenize(FORMS["llama.cpp"])
    client = build("completions", **LIMITS)
    ask(client, conversation(31))
    first = [each["content"] for each in stub.tokenized]
    assert len(first) == len(set(first)) > 10
    ask(client, [*conversation(31), Turn("bot", "new"), Turn("human", "newer")])
    assert [each["content"] for each in stub.tokenized[len(first) :]] == ["newer", "new"]


def test_a_short_conversation_is_not_counted(build: BuildClient, stub: ModelStub) -> None:
    stub.tokenize(FORMS["llama.cpp"])
    ask(build("completions", **LIMITS), [Turn("human", "Hello")])
    assert stub.tokenized == []


def test_the_token_and_the_headers_are_sent(build: BuildClient, stub: ModelStub) -> None:
    stub.tokenize(FORMS["vllm"])
    ask(build("chat", headers={"X-Key": "k"}, **LIMITS), conversation(31))
    headers = stub.tokenized[0]["headers"]
    assert (headers["authorization"], headers["x-key"]) == ("Bearer hf_secret", "k")
    assert stub.requests[-1].headers["x-key"] == "k"


@pytest.mark.parametrize("answer", [{}, {"count": "3"}, {"count": -1}, "tokens", None])
def test_another_answer_is_asked_for_once(
    build: BuildClient, stub: ModelStub, answer: object
) -> None:
    stub.tokenize(lambda text: answer)
    client = build("completions", **LIMITS)
    for _ in range(2):
        ask(client, conversation(31))
    assert len(stub.tokenized) == 1
    estimated = estimate_tokens(str(stub.requests[-1].payload["prompt"]))
    assert estimated <= 300


def test_a_message_that_is_too_long_is_cut_by_the_exact_count(
    build: BuildClient, stub: ModelStub
) -> None:
    stub.tokenize(FORMS["llama.cpp"])
    ask(build("completions", **LIMITS), [Turn("human", LONG * 200)])
    prompt = stub.requests[-1].payload["prompt"]
    assert 250 < len(tokens_of(prompt)) <= 300
