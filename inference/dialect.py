"""What a dialect is: how a request is written and how the documents of the answer are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from inference.prompt import Turn

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class ModelRequest:
    """A request: its JSON payload, and the prompt's text where the dialect sends one."""

    payload: Mapping[str, object]
    prompt: str = ""


@dataclass(frozen=True)
class Chunk:
    """What one JSON document of the answer says.

    `text` continues the reply. `whole` is all of it once more, or for the first time from a
    server that did not stream. `finish_reason` is set by the document that ends the reply.
    """

    text: str = ""
    whole: str | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class Dialect(Protocol):
    """One way of talking to a text-generation server. Pure: it does no I/O."""

    @property
    def stop(self) -> str:
        """Where a reply is cut off: the text with which the human's next turn would begin."""

    def ask(self, turns: Sequence[Turn]) -> ModelRequest:
        """Write the request that asks for the reply to the last turn."""

    def read(self, document: object) -> Chunk:
        """Read one JSON document, streamed or whole; `ModelBadReply` if it is none of ours."""
