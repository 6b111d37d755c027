"""The doctor compares the settings with what the model server says about itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from django.test import override_settings

from chat.cli.doctor.findings import Level
from chat.cli.doctor.model_server import VARIABLES, check_model_server
from inference.model_settings import ModelSettings, ServedModel
from tests.component.test_settings import LoadSettings, load_settings
from tests.model_stub import ModelStub
from tests.ports import free_port

__all__ = ["load_settings"]

GPT_J = "EleutherAI/gpt-j-6b"
ENDPOINT = ModelSettings(
    api="completions",
    url="http://model/",
    name=GPT_J,
    token=None,
    context_tokens=2048,
    max_new_tokens=25,
    timeout_s=5,
)
FIELDS = {variable: field for field, variable in VARIABLES.items()}


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with ModelStub() as running:
        yield running


def vllm(*names: str, context: int = 2048) -> Any:
    entries = [{"id": name, "owned_by": "vllm", "max_model_len": context} for name in names]
    return {"object": "list", "data": entries}


def tgi(name: str = GPT_J, **limits: int) -> Any:
    return {"model_id": name, "max_input_tokens": 2047, "max_total_tokens": 2048} | limits


LLAMA_CPP = {"data": [{"id": "a.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}]}


def check(
    stub: ModelStub, api: str = "completions", *, file: str = "", **changed: Any
) -> list[tuple[Level, str]]:
    """Return the level and the advice, or the text without one, of each finding."""
    embedded = changed.pop("EMBEDDED_MODEL", False)
    endpoint = replace(ENDPOINT, api=cast(Any, api), url=stub.endpoint(api))
    endpoint = replace(endpoint, **{FIELDS[name]: value for name, value in changed.items()})
    models = (ServedModel("gpt-j", "GPT-J", (endpoint,)),)
    with override_settings(MODELS=models, MODELS_FILE=file, EMBEDDED_MODEL=embedded):
        return [(each.level, each.advice or each.text) for each in check_model_server()]


GOOD = [
    (Level.OK, f"The model server serves {GPT_J}"),
    (Level.OK, "The model server accepts 2048 tokens"),
]


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_vllm_with_this_model(stub: ModelStub, api: str) -> None:
    stub.describe("/v1/models", vllm("other", GPT_J))
    assert check(stub, api) == GOOD


def test_text_generation_inference_with_this_model(stub: ModelStub) -> None:
    stub.describe("/info", tgi())
    assert check(stub, "huggingface") == GOOD
    stub.describe("/v1/models", {"data": [{"id": GPT_J, "owned_by": GPT_J}]})
    assert check(stub, "chat") == GOOD


def test_a_name_that_vllm_does_not_know_is_a_failure(stub: ModelStub) -> None:
    stub.describe("/v1/models", vllm("gpt-j"))
    assert check(stub)[0] == (Level.FAILURE, "Set MODEL_NAME=gpt-j.")
    stub.describe("/v1/models", vllm("a", "b"))
    assert check(stub)[0] == (Level.FAILURE, "Set MODEL_NAME to one of these.")


def test_a_name_that_the_server_ignores_is_a_warning(stub: ModelStub) -> None:
    advice = "Set MODEL_NAME={}, so that the admin shows the right one."
    stub.describe("/info", tgi("bigscience/bloom"))
    assert check(stub, "huggingface")[0] == (Level.WARNING, advice.format("bigscience/bloom"))
    stub.describe("/v1/models", LLAMA_CPP)
    stub.describe("/props", {"default_generation_settings": {"n_ctx": 4096}})
    assert check(stub, "chat") == [(Level.WARNING, advice.format("a.gguf")), GOOD[1]]


@pytest.mark.parametrize(
    ("described", "changed", "advice"),
    [
        (vllm(GPT_J, context=1024), {}, "Set MODEL_CONTEXT_TOKENS=1024."),
        (
            vllm(GPT_J, context=512),
            {"MAX_NEW_TOKENS": 512},
            "Set MODEL_CONTEXT_TOKENS=512 MAX_NEW_TOKENS=256.",
        ),
        (
            vllm(GPT_J, context=64),
            {"MAX_NEW_TOKENS": 33},
            "Set MODEL_CONTEXT_TOKENS=64 MAX_NEW_TOKENS=32.",
        ),
        (vllm(GPT_J, context=63), {}, "Start it with a longer context."),
    ],
)
def test_a_context_that_is_too_long_is_a_failure(
    stub: ModelStub,
    described: Any,
    changed: dict[str, Any],
    advice: str,
    load_settings: LoadSettings,  # the fixture
) -> None:
    stub.describe("/v1/models", described)
    assert check(stub, **changed) == [GOOD[0], (Level.FAILURE, advice)]
    recommended = dict(word.rstrip(".").split("=") for word in advice.split() if "=" in word)
    settings = {name: str(value) for name, value in changed.items()} | recommended
    loaded = load_settings({"MODEL_URL": "http://model/"} | settings)
    assert loaded["MODEL_CONTEXT_TOKENS"] - loaded["MAX_NEW_TOKENS"] >= 32 or not recommended


def test_the_limit_of_prompts_counts_together_with_the_reply(stub: ModelStub) -> None:
    stub.describe("/info", tgi(max_input_tokens=1000))
    failure = (Level.FAILURE, "Set MODEL_CONTEXT_TOKENS=1025.")
    assert check(stub, "huggingface") == [GOOD[0], failure]
    assert check(stub, "huggingface", MODEL_CONTEXT_TOKENS=1025)[1][0] is Level.OK


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"data": None, "model_id": None},
        {"data": [[], {"id": None}], "model_id": 7},
        {"data": [{"id": []}], "model_id": {}},
    ],
)
def test_a_server_that_says_nothing_is_fine(stub: ModelStub, document: Any) -> None:
    silent = [(Level.OK, "The model server does not say which model it serves")]
    if document is not None:
        stub.describe("/info", document)
        stub.describe("/v1/models", document)
    assert check(stub, "huggingface") == check(stub, "chat") == silent


def test_a_folder_is_no_name(stub: ModelStub) -> None:
    stub.describe("/info", tgi("/repository"))
    assert check(stub, "huggingface") == [GOOD[1]]


def test_the_embedded_model_has_another_name(stub: ModelStub) -> None:
    stub.describe("/v1/models", LLAMA_CPP)
    assert check(stub, "chat", EMBEDDED_MODEL=True) == []


def test_names_of_the_server_cannot_manipulate_the_terminal(stub: ModelStub) -> None:
    stub.describe("/v1/models", vllm("\x1b[31mred"))
    assert check(stub)[0] == (Level.FAILURE, "Set MODEL_NAME=[31mred.")


def test_a_server_that_does_not_respond_is_a_warning(stub: ModelStub) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/completions"
    [(level, advice)] = check(stub, MODEL_URL=url)
    assert level is Level.WARNING
    assert advice.startswith("Start it, or correct MODEL_URL.")


def test_a_rejected_token_is_a_failure(stub: ModelStub) -> None:
    stub.describe("/v1/models", vllm(GPT_J))
    stub.require_token("right")
    assert check(stub, HUGGINGFACE_INFERENCE_TOKEN="right") == GOOD
    assert check(stub, HUGGINGFACE_INFERENCE_TOKEN="wrong") == [
        (Level.FAILURE, "Correct HUGGINGFACE_INFERENCE_TOKEN.")
    ]


def test_the_advice_for_a_model_of_the_file_names_its_table(stub: ModelStub) -> None:
    stub.describe("/v1/models", vllm("other", context=1024))
    assert check(stub, file="models.toml") == [
        (Level.FAILURE, 'Set name = "other" in [models.gpt-j].'),
        (Level.FAILURE, "Set context_tokens = 1024 in [models.gpt-j]."),
    ]
