"""The settings of one endpoint of a model, and their checks. No I/O."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from inference.prompt import SPEAKERS, Speakers, estimate_tokens

Api = Literal["huggingface", "completions", "chat"]

MIN_PROMPT_TOKENS: Final = 32
# OpenAI's API and text-generation-inference accept four, and the label of the human is one.
MAX_STOP_SEQUENCES: Final = 3
MAX_STOP_CHARS: Final = 100
# Set by the client itself, or by a setting of their own.
RESERVED_PARAMETERS: Final = {
    **dict.fromkeys(
        ("inputs", "prompt", "messages", "stream", "model", "n", "best_of", "echo", "options")
    ),
    **dict.fromkeys(("parameters", "return_full_text", "decoder_input_details")),
    **dict.fromkeys(("max_new_tokens", "max_tokens"), "MAX_NEW_TOKENS"),
    "stop": "STOP_SEQUENCES",
}
RESERVED_HEADERS: Final = {
    *("accept", "accept-encoding", "connection", "content-length", "content-type", "host"),
    *("traceparent", "transfer-encoding", "x-request-id"),
}
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,8190}[\x21-\x7e])?")
_ROUTES: Final = {
    "huggingface": ("/generate_stream", "/generate"),
    "completions": ("/completions",),
    "chat": ("/chat/completions",),
}


@dataclass(frozen=True)
class ModelSettings:
    """A model's endpoint, its limits, and how it is asked.

    `url` is the full endpoint. `timeout_s` bounds each wait: to connect, for the first byte
    and for each next one. `ca_file` and `proxy` are empty for Mozilla's certificate authorities and
    for direct connections. `parameters` are merged into those that the dialect sends; None removes
    one. A reply also ends at each of `stop`. `speakers` label the turns of text prompts.
    Raises ValueError if a value cannot be used; the message contains no secret.
    """

    api: Api
    url: str
    name: str
    token: str | None = field(repr=False)
    context_tokens: int
    max_new_tokens: int
    timeout_s: float
    max_connections: int = 100
    ca_file: str = ""
    proxy: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, object] = field(default_factory=dict)
    system_prompt: str = field(default="", repr=False)
    stop: Sequence[str] = ()
    speakers: Speakers = SPEAKERS

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.timeout_s <= 0 or self.max_connections < 1:
            raise ValueError("Limits of the model must be above zero")
        if self.context_tokens - self.max_new_tokens < MIN_PROMPT_TOKENS:
            raise ValueError("The model's context leaves no space for a prompt beside the reply")
        check_system_prompt(self.system_prompt, self.context_tokens - self.max_new_tokens)
        check_parameters(self.parameters)
        check_headers(self.headers)
        if self.token and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("An access token and the header Authorization are both set")
        check_stop(self.stop)

    @property
    def base_url(self) -> str:
        """The address under which the server describes itself: `/v1` for OpenAI's API."""
        url = self.url.partition("?")[0].rstrip("/")
        for route in _ROUTES[self.api]:
            url = url.removesuffix(route)
        return url

    @property
    def root_url(self) -> str:
        """The server's address without the version of OpenAI's API."""
        return self.base_url.removesuffix("/v1")


def check_system_prompt(system_prompt: str, budget_tokens: int) -> None:
    """Raise ValueError if it leaves too little of the budget."""
    if budget_tokens - estimate_tokens(system_prompt) < MIN_PROMPT_TOKENS:
        raise ValueError("The system prompt leaves no space for a conversation in the context")


def check_parameters(parameters: Mapping[str, object]) -> None:
    """Raise ValueError for parameters that are not for the operator to set."""
    for name in parameters.keys() & RESERVED_PARAMETERS.keys():
        setting = RESERVED_PARAMETERS[name]
        reason = f"set {setting} instead" if setting else "the server sets it"
        raise ValueError(f'The model parameter "{name}" cannot be changed: {reason}')
    json.dumps(parameters, allow_nan=False)  # raises ValueError


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for headers that HTTP does not allow, or that the client itself sends."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("A header of the model has a name that HTTP does not allow")
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f'The header "{name}" cannot be changed: the server sets it')
        if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value)):
            raise ValueError(f'The value of the header "{name}" must be a text of ASCII characters')


def check_stop(stop: Sequence[str]) -> None:
    """Raise ValueError for stop sequences that are empty, too long or too many."""
    if len(stop) > MAX_STOP_SEQUENCES:
        raise ValueError(f"At most {MAX_STOP_SEQUENCES} stop sequences are possible")
    if not all(each.strip(" ") and len(each) <= MAX_STOP_CHARS for each in stop):
        raise ValueError(
            f"A stop sequence must be a text of 1 to {MAX_STOP_CHARS} characters, not only spaces"
        )


@dataclass(frozen=True)
class ServedModel:
    """A model that visitors can choose, with the endpoints that serve it.

    `name` is the operator's, in settings, frames and documents; that of the servers is in
    `endpoints`. `concurrency` limits the replies that one worker requests at the same time; None is
    no limit. `fallback` is the name of the model that replies if no endpoint does.
    """

    name: str
    label: str
    endpoints: tuple[ModelSettings, ...]
    concurrency: int | None = None
    fallback: str | None = None
