"""MODELS_FILE: several models, and sentences that say where it is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from inference.model_settings import ServedModel
from tests.component.test_settings import LoadSettings, load_settings

__all__ = ["load_settings"]

Load = Callable[..., tuple[ServedModel, ...]]
MINIMAL = """
[models.one]
url = "http://one/"
name = "served"
"""
FULL = """
[models.fast]
label = "Fast and short"
api = "chat"
url = ["http://a:8000/v1/chat/completions", "http://b:8000/v1/chat/completions"]
name = "Qwen/Qwen2.5-7B-Instruct"
token_env = "FAST_TOKEN"
headers_env = "FAST_HEADERS"
parameters = {temperature = 0.2}
stop = ["###"]
system_prompt = "Be brief."
context_tokens = 8192
max_new_tokens = 256
timeout_s = 20
concurrency = 8
fallback = "gpt-j"

[models.gpt-j]
url = "http://c:8000/"
name = "EleutherAI/gpt-j-6b"
"""


@pytest.fixture
def load(load_settings: LoadSettings, tmp_path: Path) -> Load:
    def load_models(text: str, **environment: str) -> tuple[ServedModel, ...]:
        path = tmp_path / "models.toml"
        path.write_text(text)
        settings = load_settings({"MODELS_FILE": str(path)} | environment)
        assert not settings["EMBEDDED_MODEL"]
        models: tuple[ServedModel, ...] = settings["MODELS"]
        return models

    return load_models


def test_every_key_is_read(load: Load) -> None:
    headers = {"X-Key": "k"}
    fast, gpt_j = load(FULL, FAST_TOKEN="secret", FAST_HEADERS=json.dumps(headers))
    assert (fast.name, fast.label, fast.concurrency, fast.fallback) == (
        *("fast", "Fast and short", 8, "gpt-j"),
    )
    assert [each.url[:8] for each in fast.endpoints] == ["http://a", "http://b"]
    for each in fast.endpoints:
        assert (each.api, each.token, each.headers) == ("chat", "secret", headers)
        assert (each.context_tokens, each.max_new_tokens, each.timeout_s) == (8192, 256, 20)
        assert (each.parameters, each.stop) == ({"temperature": 0.2}, ["###"])
        assert each.system_prompt == "Be brief."
    [other] = gpt_j.endpoints
    assert (gpt_j.label, other.api, other.token, other.headers) == (
        "gpt-j",
        "huggingface",
        None,
        {},
    )


def test_the_variables_are_defaults_but_not_for_secrets(load: Load) -> None:
    [model] = load(
        MINIMAL,
        SYSTEM_PROMPT="Be kind.",
        MODEL_PARAMETERS='{"seed": 1}',
        MODEL_CONTEXT_TOKENS="1000",
        MODEL_TIMEOUT_S="7",
        HUMAN_NAME="User",
        HUGGINGFACE_INFERENCE_TOKEN="secret",
        MODEL_HEADERS='{"X-Key": "secret"}',
        MODEL_URL="http://ignored/",
    )
    [endpoint] = model.endpoints
    assert (endpoint.system_prompt, endpoint.parameters) == ("Be kind.", {"seed": 1})
    assert (endpoint.context_tokens, endpoint.max_new_tokens) == (1000, 25)
    assert (endpoint.timeout_s, endpoint.speakers.human) == (7, "User")
    assert (endpoint.token, endpoint.headers, endpoint.url) == (None, {}, "http://one/")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[models", "Expected"),
        ("", "it must contain tables [models.NAME] and nothing else"),
        ("[models]", "it must contain tables"),
        (f"other = 1\n{MINIMAL}", "it must contain tables"),
        ("[models]\none = 1", "[models.one]: it must be a table"),
        ('[models."a b"]\nurl="http://a"\nname="n"', "the name of a model must have letters"),
        ("[models.one]\nname = 'x'", "[models.one]: url is missing"),
        ("[models.one]\nurl = 'http://a/'", "[models.one]: name is missing"),
        (f"{MINIMAL}lable = 'x'", "[models.one]: unknown key 'lable'"),
        (f"{MINIMAL}label = ''", "label must have 1 to 64 printable characters"),
        (f"{MINIMAL}api = 'magic'", "api must be one of: huggingface, completions, chat"),
        (f"{MINIMAL}concurrency = 0", "concurrency must be 1 or more"),
        (f"{MINIMAL}concurrency = true", "concurrency must be a whole number"),
        (f"{MINIMAL}context_tokens = '9'", "context_tokens must be a whole number"),
        (f"{MINIMAL}parameters = {{stream = true}}", 'parameter "stream" cannot be changed'),
        (f"{MINIMAL}parameters = {{since = 2020-01-01}}", "not JSON serializable"),
        (f"{MINIMAL}stop = [1]", "stop must be a list of texts"),
        (f"{MINIMAL}fallback = 'one'", "fallback must name another model"),
        (f"{MINIMAL}fallback = 'two'", "fallback must name another model"),
        (f"{MINIMAL}token_env = 'NONE'", "token_env names the variable 'NONE', which is not set"),
        (f"{MINIMAL}max_new_tokens = 2048", "leaves no space for a prompt"),
        ("[models.one]\nname = 'x'\nurl = []", "url must have 1 to 16 addresses"),
        ("[models.one]\nname = 'x'\nurl = ['a']", "url must be an http:// or https:// address"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(load: Load, text: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(text)
    assert str(caught.value).startswith('Environment variable "MODELS_FILE" is not valid: ')
    assert sentence in str(caught.value)


def test_headers_of_the_file_are_checked_without_showing_them(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(f"{MINIMAL}headers_env = 'OWN'", OWN='{"X-Key": "s3cret\\u0001"}')
    assert "OWN" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_does_not_exist_is_named(load_settings: LoadSettings) -> None:
    environment: dict[str, Any] = {"MODELS_FILE": "/none"}
    with pytest.raises(ImproperlyConfigured, match="Must name a readable file"):
        load_settings(environment)
