"""The public interface of this package: generate the reply to a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, assert_never

from inference.dialect import Dialect, Usage
from inference.generation import Generation
from inference.huggingface import HuggingFace
from inference.openai import Chat, Completions
from inference.prompt import Turn, is_continued
from inference.transport import Transport

__all__ = ["Api", "Generation", "ModelClient", "ModelSettings", "Turn", "Usage", "build_client"]

Api = Literal["huggingface", "completions", "chat"]

MIN_PROMPT_TOKENS: Final = 32
MAX_RESPONSE_BYTES: Final = 1_000_000
# An event with one token is about a quarter of this; a reply of many tokens must fit the limit.
MAX_BYTES_PER_TOKEN: Final = 1024


@dataclass(frozen=True)
class ModelSettings:
    """The model's endpoint and limits.

    `url` is the full endpoint. `timeout_s` bounds each wait: to connect, for the first byte
    and for each next one. `ca_file` and `proxy` are empty for Mozilla's certificate authorities and
    for direct connections. Raises ValueError if the limits leave no space for a prompt.
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

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.timeout_s <= 0 or self.max_connections < 1:
            raise ValueError("Limits of the model must be above zero")
        if self.context_tokens - self.max_new_tokens < MIN_PROMPT_TOKENS:
            raise ValueError("The model's context leaves no space for a prompt beside the reply")


class ModelClient(Protocol):
    """Generates replies; threads may share it."""

    def generate(self, turns: Sequence[Turn], *, request_id: str | None = None) -> Generation:
        """Request the reply to the last of `turns`, oldest first.

        If the last one is the bot's, it is the beginning of the reply: the pieces continue it.
        Nothing is sent before the first piece is requested. The caller enforces a deadline with
        `Generation.cancel`. `request_id` is sent as `X-Request-ID`, for the server's log.
        """


class HttpModelClient:
    """Sends requests to one HTTP server in one dialect. Create it after a fork."""

    def __init__(self, dialect: Dialect, transport: Transport) -> None:
        self._dialect = dialect
        self._transport = transport

    def generate(self, turns: Sequence[Turn], *, request_id: str | None = None) -> Generation:
        """Request the reply to the last of `turns`, see `ModelClient`."""
        request = self._dialect.build_request(turns)
        beginning = turns[-1].text if is_continued(turns) else ""
        return Generation(self._transport, self._dialect, request, request_id, beginning)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()


def build_client(settings: ModelSettings) -> HttpModelClient:
    """Create the client for one server, without connecting; raises ValueError for a bad URL."""
    transport = Transport(
        settings.url,
        token=settings.token,
        timeout_s=settings.timeout_s,
        max_connections=settings.max_connections,
        max_bytes=max(MAX_RESPONSE_BYTES, settings.max_new_tokens * MAX_BYTES_PER_TOKEN),
        ca_file=settings.ca_file or None,
        proxy=settings.proxy or None,
    )
    return HttpModelClient(_build_dialect(settings), transport)


def _build_dialect(settings: ModelSettings) -> Dialect:
    name, context, new = settings.name, settings.context_tokens, settings.max_new_tokens
    match settings.api:
        case "huggingface":
            return HuggingFace(context, new)
        case "completions":
            return Completions(name, context, new)
        case "chat":
            return Chat(name, context, new)
        case _:
            assert_never(settings.api)
