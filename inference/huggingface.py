"""The dialect of Hugging Face inference endpoints and text-generation-inference's `/generate`.

https://huggingface.co/docs/text-generation-inference/reference/api_reference
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inference.dialect import (
    DEFAULT_INSTRUCTIONS,
    Chunk,
    FinishReason,
    Instructions,
    ModelRequest,
    Usage,
    as_count,
    as_object,
    as_text,
    first_object,
)
from inference.prompt import CountTokens, Turn, estimate_tokens

_SAMPLING: Final[Mapping[str, object]] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "repetition_penalty": 1.1,
}


@dataclass(frozen=True)
class HuggingFace:
    """Sends a prompt; the response is token events, or `generated_text` in an array or object."""

    context_tokens: int
    max_new_tokens: int
    instructions: Instructions = DEFAULT_INSTRUCTIONS

    @property
    def stops(self) -> Sequence[str]:
        return self.instructions.prompt_stops

    def build_request(
        self, turns: Sequence[Turn], count_tokens: CountTokens = estimate_tokens
    ) -> ModelRequest:
        """Build the prompt and the sampling parameters.

        `use_cache` is off because a regenerated reply should differ, `wait_for_model` because
        the user should see that the model is loading.
        """
        budget_tokens = self.context_tokens - self.max_new_tokens
        prompt = self.instructions.build_prompt(turns, budget_tokens, count_tokens)
        payload: dict[str, object] = {
            "inputs": prompt,
            "parameters": {
                "return_full_text": False,
                "max_new_tokens": self.max_new_tokens,
                "stop": self.stops,
                **self.instructions.merge(_SAMPLING),
            },
            "options": {"use_cache": False, "wait_for_model": False},
            "stream": True,
        }
        return ModelRequest(payload, prompt)

    def parse_event(self, event: object) -> Chunk:
        """Parse a token event, the last event, or a complete response."""
        body = first_object(event)
        token = as_object(body.get("token"))
        details = as_object(body.get("details"))
        whole = body.get("generated_text")
        return Chunk(
            # The end-of-text token is an event, too, marked as special.
            text="" if token.get("special") else as_text(token.get("text")),
            whole=None if whole is None else as_text(whole),
            finish_reason=_finish_reason(details, is_last=whole is not None),
            usage=_usage(details),
        )


def _finish_reason(details: Mapping[str, object], *, is_last: bool) -> FinishReason | None:
    reason = as_text(details.get("finish_reason"))
    if reason == "length":
        return "length"
    return "stop" if reason or is_last else None


def _usage(details: Mapping[str, object]) -> Usage | None:
    generated = as_count(details.get("generated_tokens"))
    return None if generated is None else Usage(as_count(details.get("input_length")), generated)
