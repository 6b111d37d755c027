"""Reads MODELS_FILE: several models, each with its own endpoints and instructions."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from environs import Env, EnvError

from chatproject.model_configuration.model_variables import (
    MODEL_APIS,
    are_headers,
    default_max_new_tokens,
)
from inference.model_settings import ModelSettings, ServedModel

MAX_MODELS: Final = 32
MAX_ENDPOINTS: Final = 16
MAX_LABEL_CHARS: Final = 64
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
URL: Final = re.compile(r"https?://.+")
# The type of each key, and how an error names it.
TEXT, NUMBER, COUNT = (str, "a text"), ((int, float), "a number"), (int, "a whole number")
KEYS: Final[Mapping[str, tuple[Any, str]]] = {
    "label": TEXT,
    "api": TEXT,
    "url": ((str, list), "an address or a list of addresses"),
    "name": TEXT,
    "token_env": TEXT,
    "headers_env": TEXT,
    "parameters": (dict, "a table"),
    "stop": (list, "a list of texts"),
    "system_prompt": TEXT,
    "context_tokens": COUNT,
    "max_new_tokens": COUNT,
    "timeout_s": NUMBER,
    "concurrency": COUNT,
    "fallback": TEXT,
}
REQUIRED: Final = ("url", "name")


class ModelsFileError(EnvError):
    """The file cannot be used; the message says where and why."""

    def __init__(self, detail: str) -> None:
        super().__init__(f'Environment variable "MODELS_FILE" is not valid: {detail}.')


def read_models(path: str, defaults: ModelSettings, env: Env) -> tuple[ServedModel, ...]:
    """Return the models of a TOML file, the default one first.

    `defaults` is what the variables for a single model say; `env` reads the variables that the file
    names. Raises EnvError.
    """
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelsFileError(str(error)) from None
    tables = document.get("models")
    if document.keys() != {"models"} or not isinstance(tables, dict) or not tables:
        raise ModelsFileError("it must contain tables [models.NAME] and nothing else")
    if len(tables) > MAX_MODELS:
        raise ModelsFileError(f"it has more than {MAX_MODELS} models")
    models = tuple(_Table(name, table, defaults, env).read() for name, table in tables.items())
    for model in models:
        if model.fallback is not None and model.fallback not in tables.keys() - {model.name}:
            raise ModelsFileError(f"[models.{model.name}]: fallback must name another model")
    return models


class _Table:
    """One table of the file."""

    def __init__(self, name: str, table: Any, defaults: ModelSettings, env: Env) -> None:
        self._name = name
        self._table: dict[str, Any] = table
        self._defaults = defaults
        self._env = env

    def read(self) -> ServedModel:
        self._check_keys()
        table = self._table
        label = table.get("label", self._name)
        if not (0 < len(label) <= MAX_LABEL_CHARS and label.isprintable()):
            raise self._error(f"label must have 1 to {MAX_LABEL_CHARS} printable characters")
        if table.get("concurrency", 1) < 1:
            raise self._error("concurrency must be 1 or more")
        endpoint = self._endpoint()
        return ServedModel(
            name=self._name,
            label=label,
            endpoints=tuple(replace(endpoint, url=url) for url in self._urls()),
            concurrency=table.get("concurrency"),
            fallback=table.get("fallback"),
        )

    def _check_keys(self) -> None:
        if not NAME.fullmatch(self._name):
            raise ModelsFileError(
                "the name of a model must have letters, digits, dots, hyphens and underscores"
            )
        if not isinstance(self._table, dict):
            raise self._error("it must be a table")
        for key, value in self._table.items():
            if key not in KEYS:
                raise self._error(f"unknown key {key[:40]!r}")
            kind, meaning = KEYS[key]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self._error(f"{key} must be {meaning}")
        for key in REQUIRED:
            if key not in self._table:
                raise self._error(f"{key} is missing")
        if self._api not in MODEL_APIS:
            raise self._error(f"api must be one of: {', '.join(MODEL_APIS)}")

    @property
    def _api(self) -> Any:
        return self._table.get("api", "huggingface")

    def _urls(self) -> list[str]:
        url = self._table["url"]
        urls = [url] if isinstance(url, str) else url
        if not 0 < len(urls) <= MAX_ENDPOINTS:
            raise self._error(f"url must have 1 to {MAX_ENDPOINTS} addresses")
        if not all(isinstance(each, str) and URL.fullmatch(each) for each in urls):
            raise self._error("url must be an http:// or https:// address, or a list of them")
        return urls

    def _endpoint(self) -> ModelSettings:
        table, defaults = self._table, self._defaults
        stop = table.get("stop", defaults.stop)
        if not all(isinstance(each, str) for each in stop):
            raise self._error("stop must be a list of texts")
        context_tokens = table.get("context_tokens", defaults.context_tokens)
        try:
            return replace(
                defaults,
                api=self._api,
                url=self._urls()[0],
                name=table["name"],
                token=self._read("token_env", lambda name: self._env.str(name, "")),
                headers=self._read("headers_env", self._read_headers) or {},
                parameters=table.get("parameters", defaults.parameters),
                system_prompt=table.get("system_prompt", defaults.system_prompt).strip(),
                stop=stop,
                context_tokens=context_tokens,
                max_new_tokens=table.get(
                    "max_new_tokens", default_max_new_tokens(self._api, context_tokens)
                ),
                timeout_s=table.get("timeout_s", defaults.timeout_s),
            )
        except (TypeError, ValueError) as error:
            raise self._error(str(error)) from None

    def _read(self, key: str, read: Callable[[str], Any]) -> Any:
        if key not in self._table:
            return None
        variable = self._table[key]
        value = read(variable)
        if not value:
            raise self._error(f"{key} names the variable {variable!r}, which is not set")
        return value

    def _read_headers(self, variable: str) -> dict[str, str]:
        return cast(dict[str, str], self._env.json(variable, {}, validate=are_headers))

    def _error(self, detail: str) -> ModelsFileError:
        return ModelsFileError(f"[models.{self._name}]: {detail}")
