"""The interface of a dialect: it builds requests and parses the JSON of responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from inference.model_errors import ModelBadReply
from inference.prompt import (
    SPEAKERS,
    CountTokens,
    Speakers,
    Turn,
    build_prompt,
    estimate_tokens,
)

FinishReason = Literal["stop", "length"]
MAX_COUNT: Final = 1_000_000_000


@dataclass(frozen=True)
class Usage:
    """Token counts reported by the server; None if it did not report them."""

    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class ModelRequest:
    """A request: its JSON payload, and the prompt if the dialect sends one."""

    payload: Mapping[str, object]
    prompt: str = ""


@dataclass(frozen=True)
class Instructions:
    """How the operator wants the model to reply.

    `parameters` are merged into those of the dialect; None removes one. `stop` are stop sequences
    besides the dialect's own.
    """

    system_prompt: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    stop: Sequence[str] = ()
    speakers: Speakers = SPEAKERS

    @property
    def prompt_stops(self) -> Sequence[str]:
        """The stop sequences of a prompt that is one text: the label of the human is the first."""
        return [self.speakers.human_label, *self.stop]

    def build_prompt(
        self, turns: Sequence[Turn], budget_tokens: int, count_tokens: CountTokens
    ) -> str:
        """Return the prompt that is one text."""
        return build_prompt(
            turns,
            budget_tokens,
            system_prompt=self.system_prompt,
            speakers=self.speakers,
            count_tokens=count_tokens,
        )

    def merge(self, defaults: Mapping[str, object]) -> dict[str, object]:
        """Return the parameters of a request."""
        merged = {**defaults, **self.parameters}
        return {name: value for name, value in merged.items() if value is not None}


DEFAULT_INSTRUCTIONS: Final = Instructions()


@dataclass(frozen=True)
class Chunk:
    """The content of one JSON value of the response.

    `text` is the next part of the reply, `reasoning` of what the model thinks before it. `whole` is
    the complete reply, repeated at the end of a stream or sent by a server that does not stream.
    `finish_reason` is set by the last event.
    """

    text: str = ""
    reasoning: str = ""
    whole: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class Dialect(Protocol):
    """The API of a kind of text-generation server. Does no I/O but what `count_tokens` does."""

    @property
    def stops(self) -> Sequence[str]:
        """The stop sequences: a reply ends where one of them starts."""

    def build_request(
        self, turns: Sequence[Turn], count_tokens: CountTokens = estimate_tokens
    ) -> ModelRequest:
        """Build the request for the reply to the last turn, or to continue the bot's last one."""

    def parse_event(self, event: object) -> Chunk:
        """Parse one JSON value of the response, streamed or whole. Raises ModelBadReply."""


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; an absent one (null) is empty."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise ModelBadReply


def first_object(value: object) -> Mapping[str, object]:
    """Return a JSON object or the first one of an array; an empty or absent array gives {}."""
    while isinstance(value, list):
        value = value[0] if value else None
    return as_object(value)


def as_text(value: object) -> str:
    """Return a JSON string; an absent one (null) is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise ModelBadReply


def as_count(value: object) -> int | None:
    """Return a number of tokens, or None if it is not one or absurdly high."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT:
        return value
    return None
