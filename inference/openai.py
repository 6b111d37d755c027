"""The two OpenAI dialects, as vLLM, text-generation-inference and llama.cpp serve them.

https://platform.openai.com/docs/api-reference/completions and `/chat`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from inference.prompt import (
    CountTokens,
    Turn,
    build_messages,
    estimate_tokens,
    is_continued,
)

_USAGE: Final[Mapping[str, object]] = {"stream_options": {"include_usage": True}}
# vLLM and SGLang start a new message unless told to continue the last one; llama.cpp and
# text-generation-inference continue it anyway.
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
_CONTINUE: Final[Mapping[str, object]] = {
    "continue_final_message": True,
    "add_generation_prompt": False,
}
# Only parameters that all of these servers accept: some reject unknown ones.
_SAMPLING: Final[Mapping[str, object]] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "frequency_penalty": 0.3,
}


@dataclass(frozen=True)
class Completions:
    """`/v1/completions`: the same prompt as for GPT-J."""

    name: str
    context_tokens: int
    max_new_tokens: int
    instructions: Instructions = DEFAULT_INSTRUCTIONS

    @property
    def stops(self) -> Sequence[str]:
        return self.instructions.prompt_stops

    def build_request(
        self, turns: Sequence[Turn], count_tokens: CountTokens = estimate_tokens
    ) -> ModelRequest:
        """Build the prompt as one text."""
        budget_tokens = self.context_tokens - self.max_new_tokens
        prompt = self.instructions.build_prompt(turns, budget_tokens, count_tokens)
        payload: dict[str, object] = {
            "model": self.name,
            "prompt": prompt,
            "max_tokens": self.max_new_tokens,
            "stop": self.stops,
            **self.instructions.merge({**_SAMPLING, **_USAGE}),
            "stream": True,
        }
        return ModelRequest(payload, prompt)

    def parse_event(self, event: object) -> Chunk:
        """Parse an event or a complete response; both have the text in `choices[0].text`."""
        choice = first_object(as_object(event).get("choices"))
        return Chunk(
            text=as_text(choice.get("text")),
            finish_reason=_finish_reason(choice),
            usage=_usage(event),
        )


@dataclass(frozen=True)
class Chat:
    """`/v1/chat/completions`: messages with roles, for models trained on a chat template."""

    name: str
    context_tokens: int
    max_new_tokens: int
    instructions: Instructions = DEFAULT_INSTRUCTIONS

    @property
    def stops(self) -> Sequence[str]:
        # An instruct model may write "Human:" within a sentence; only a line start is a turn.
        return [f"\n{self.instructions.speakers.human_label}", *self.instructions.stop]

    def build_request(
        self, turns: Sequence[Turn], count_tokens: CountTokens = estimate_tokens
    ) -> ModelRequest:
        """Build messages with roles; sampling is left to the server's defaults for its model."""
        messages = build_messages(
            turns,
            self.context_tokens - self.max_new_tokens,
            system_prompt=self.instructions.system_prompt,
            count_tokens=count_tokens,
        )
        payload: dict[str, object] = {
            "model": self.name,
            "messages": [asdict(message) for message in messages],
            "max_tokens": self.max_new_tokens,
            **self.instructions.merge(_USAGE),
            "stream": True,
        }
        if is_continued(turns):
            payload |= _CONTINUE
        if self.instructions.stop:
            payload["stop"] = list(self.instructions.stop)
        return ModelRequest(payload)

    def parse_event(self, event: object) -> Chunk:
        """Parse the `delta` of an event or the `message` of a complete response."""
        choice = first_object(as_object(event).get("choices"))
        message = as_object(choice.get("delta") or choice.get("message"))
        return Chunk(
            text=as_text(message.get("content")),
            reasoning=_reasoning(message),
            finish_reason=_finish_reason(choice),
            usage=_usage(event),
        )


def _reasoning(message: Mapping[str, object]) -> str:
    """Return the reasoning that the server sends apart from the reply.

    llama.cpp, SGLang and earlier vLLM name it `reasoning_content`, vLLM and OpenRouter `reasoning`.
    """
    found = message.get("reasoning_content") or message.get("reasoning")
    return found if isinstance(found, str) else ""


def _finish_reason(choice: Mapping[str, object]) -> FinishReason | None:
    reason = as_text(choice.get("finish_reason"))
    if reason == "length":
        return "length"
    return "stop" if reason else None


def _usage(event: object) -> Usage | None:
    usage = as_object(as_object(event).get("usage"))
    if not usage:
        return None
    return Usage(as_count(usage.get("prompt_tokens")), as_count(usage.get("completion_tokens")))
