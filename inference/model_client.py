"""The public interface of this package: generate the reply to a conversation."""

from collections.abc import Sequence
from typing import Final, Protocol, assert_never

from inference.dialect import Dialect, Instructions, Usage
from inference.generation import Generation
from inference.huggingface import HuggingFace
from inference.model_settings import MIN_PROMPT_TOKENS, Api, ModelSettings
from inference.openai import Chat, Completions
from inference.prompt import CountTokens, Turn, estimate_tokens, is_continued
from inference.token_counter import MAX_RESPONSE_BYTES as MAX_COUNT_BYTES
from inference.token_counter import REQUEST_TIMEOUT_S, TokenCounter
from inference.transport import Transport

__all__ = [
    "MIN_PROMPT_TOKENS",
    "Api",
    "Generation",
    "ModelClient",
    "ModelSettings",
    "Turn",
    "Usage",
    "build_client",
]

MAX_RESPONSE_BYTES: Final = 1_000_000
# An event with one token is about a quarter of this; a reply of many tokens must fit the limit.
MAX_BYTES_PER_TOKEN: Final = 1024
COUNTING_S: Final = 2.0


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

    def __init__(
        self, dialect: Dialect, transport: Transport, counter: TokenCounter, budget_tokens: int
    ) -> None:
        """`budget_tokens` is the length of the longest prompt."""
        self._dialect = dialect
        self._transport = transport
        self._counter = counter
        self._budget_tokens = budget_tokens

    def generate(self, turns: Sequence[Turn], *, request_id: str | None = None) -> Generation:
        """Request the reply to the last of `turns`, see `ModelClient`."""
        request = self._dialect.build_request(turns, self._count_tokens(turns))
        beginning = turns[-1].text if is_continued(turns) else ""
        return Generation(self._transport, self._dialect, request, request_id, beginning)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()
        self._counter.close()

    def _count_tokens(self, turns: Sequence[Turn]) -> CountTokens:
        """Return an exact count where it matters: if not all turns fit by far."""
        estimated = sum(estimate_tokens(turn.text) for turn in turns)
        if 2 * estimated <= self._budget_tokens:
            return estimate_tokens
        return self._counter.within(COUNTING_S)


def build_client(settings: ModelSettings) -> HttpModelClient:
    """Create the client for one server, without connecting; raises ValueError for a bad URL."""
    budget_tokens = settings.context_tokens - settings.max_new_tokens
    max_bytes = max(MAX_RESPONSE_BYTES, settings.max_new_tokens * MAX_BYTES_PER_TOKEN)
    transport = _build_transport(settings, settings.url, settings.timeout_s, max_bytes)
    counting = _build_transport(
        settings,
        f"{settings.root_url}/tokenize",
        min(REQUEST_TIMEOUT_S, settings.timeout_s),
        MAX_COUNT_BYTES,
    )
    counter = TokenCounter(counting, settings.name)
    return HttpModelClient(_build_dialect(settings), transport, counter, budget_tokens)


def _build_transport(
    settings: ModelSettings, url: str, timeout_s: float, max_bytes: int
) -> Transport:
    return Transport(
        url,
        token=settings.token,
        headers=settings.headers,
        timeout_s=timeout_s,
        max_connections=settings.max_connections,
        max_bytes=max_bytes,
        ca_file=settings.ca_file or None,
        proxy=settings.proxy or None,
    )


def _build_dialect(settings: ModelSettings) -> Dialect:
    name, context, new = settings.name, settings.context_tokens, settings.max_new_tokens
    instructions = Instructions(
        system_prompt=settings.system_prompt,
        parameters=settings.parameters,
        stop=settings.stop,
        speakers=settings.speakers,
    )
    match settings.api:
        case "huggingface":
            return HuggingFace(context, new, instructions)
        case "completions":
            return Completions(name, context, new, instructions)
        case "chat":
            return Chat(name, context, new, instructions)
        case _:
            assert_never(settings.api)
