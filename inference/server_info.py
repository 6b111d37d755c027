"""Ask a model server which models it serves and how long their context is.

`/v1/models` is OpenAI's, https://platform.openai.com/docs/api-reference/models; vLLM adds
`max_model_len`. text-generation-inference describes itself at `/info`, llama.cpp at `/props`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import requests
from urllib3 import exceptions as urllib3_errors

from inference.dialect import as_count
from inference.model_settings import ModelSettings

TIMEOUT_S: Final = 5
MAX_BYTES: Final = 2_000_000


class Unauthorized(Exception):
    """The server does not accept the access token."""


class Unreachable(Exception):
    """The server does not respond; the cause says why."""


@dataclass(frozen=True)
class ServerInfo:
    """What a server says about itself; None for what it does not say.

    `ignores_name` is true if it has one model and uses it whatever name a request contains.
    `context_tokens` is for prompt and reply together, `prompt_tokens` for the prompt alone.
    """

    names: tuple[str, ...]
    ignores_name: bool = False
    context_tokens: int | None = None
    prompt_tokens: int | None = None


def fetch_info(endpoint: ModelSettings) -> ServerInfo | None:
    """Return what an endpoint's server says, or None if it has no such route.

    Raises Unauthorized or Unreachable.
    """
    try:
        return _fetch_info(endpoint)
    except (requests.RequestException, urllib3_errors.HTTPError) as error:
        raise Unreachable from error


def _fetch_info(endpoint: ModelSettings) -> ServerInfo | None:
    with _Session(endpoint) as session:
        if endpoint.api == "huggingface":
            found = session.get_json(f"{endpoint.base_url}/info")
            return None if found is None else parse_info(found)
        models = session.get_json(f"{endpoint.base_url}/models")
        info = None if models is None else parse_models(models, endpoint.name)
        if info is None or info.context_tokens is not None:
            return info
        if props := session.get_json(f"{endpoint.root_url}/props"):
            return replace(info, context_tokens=parse_props(props))
        if described := session.get_json(f"{endpoint.root_url}/info"):
            return parse_info(described) or info
        return info


class _Session:
    """A session without redirects, and without proxies and passwords of the environment."""

    def __init__(self, endpoint: ModelSettings) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = endpoint.ca_file or True
        if endpoint.proxy:
            self._session.proxies = {"http": endpoint.proxy, "https": endpoint.proxy}
        if endpoint.token:
            self._session.headers["Authorization"] = f"Bearer {endpoint.token}"
        self._session.headers.update(endpoint.headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get_json(self, url: str) -> Mapping[str, Any] | None:
        """Return the JSON object at `url`, or None if there is none."""
        with self._session.get(
            url, timeout=TIMEOUT_S, stream=True, allow_redirects=False
        ) as response:
            if response.status_code == 401:
                raise Unauthorized
            if response.status_code != 200:
                return None
            body = response.raw.read(MAX_BYTES, decode_content=True)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


def parse_models(document: Mapping[str, Any], name: str) -> ServerInfo | None:
    """Parse the response of `/v1/models`; `name` is the model whose context matters."""
    data = document.get("data")
    models = [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []
    contexts = {
        each["id"]: as_count(each.get("max_model_len"))
        for each in models
        if isinstance(each.get("id"), str)
    }
    if not contexts:
        return None
    only = models[0] if len(contexts) == 1 else {}
    return ServerInfo(
        names=tuple(contexts),
        # llama.cpp, and text-generation-inference, whose model is owned by itself.
        ignores_name=bool(only) and only.get("owned_by") in ("llamacpp", only["id"]),
        context_tokens=contexts.get(name, as_count(only.get("max_model_len"))),
    )


def parse_info(document: Mapping[str, Any]) -> ServerInfo | None:
    """Parse the response of text-generation-inference's `/info`."""
    name = document.get("model_id")
    if not isinstance(name, str):
        return None
    return ServerInfo(
        # An inference endpoint loads its model from a folder, and names that.
        names=() if name.startswith("/") else (name,),
        ignores_name=True,
        context_tokens=as_count(document.get("max_total_tokens")),
        prompt_tokens=as_count(
            document.get("max_input_tokens") or document.get("max_input_length")
        ),
    )


def parse_props(document: Mapping[str, Any]) -> int | None:
    """Return the context of a request from the response of llama.cpp's `/props`."""
    generation = document.get("default_generation_settings")
    return as_count(generation.get("n_ctx")) if isinstance(generation, dict) else None
