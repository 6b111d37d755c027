"""The three dialects from the server's side: a payload's question in, JSON documents out."""

import json
from abc import ABC, abstractmethod
from typing import Any


class Dialect(ABC):
    """How a route parses a request and writes the JSON of its response."""

    def prompt(self, payload: dict[str, Any]) -> str:
        """The prompt as text; empty where the route has none."""
        return ""

    @abstractmethod
    def last_human(self, payload: dict[str, Any]) -> str:
        """What the human said last."""

    @abstractmethod
    def piece(self, text: str) -> Any:
        """The event for one piece."""

    @abstractmethod
    def end(self, pieces: list[str], reason: str) -> list[Any]:
        """The events that end a stream."""

    @abstractmethod
    def whole(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        """The response as one JSON object."""


class HuggingFace(Dialect):
    """`POST /generate`."""

    def prompt(self, payload: dict[str, Any]) -> str:
        return str(payload["inputs"])

    def last_human(self, payload: dict[str, Any]) -> str:
        return _last_human(self.prompt(payload))

    def piece(self, text: str) -> Any:
        token = {"id": 1, "text": text, "logprob": -0.1, "special": False}
        return {"index": 1, "token": token, "generated_text": None, "details": None}

    def end(self, pieces: list[str], reason: str) -> list[Any]:
        return [
            {
                "index": len(pieces) + 1,
                "token": {"id": 50256, "text": "<|endoftext|>", "logprob": -0.1, "special": True},
                "generated_text": "".join(pieces),
                "details": {
                    "finish_reason": "eos_token" if reason == "stop" else reason,
                    "generated_tokens": len(pieces),
                    "input_length": 7,
                },
            }
        ]

    def whole(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        answer: dict[str, Any] = {"generated_text": text}
        if reason == "length":
            answer["details"] = {"finish_reason": "length", "generated_tokens": len(text.split())}
        return [answer] if as_array else answer


class Completions(Dialect):
    """`POST /v1/completions`."""

    def prompt(self, payload: dict[str, Any]) -> str:
        return str(payload["prompt"])

    def last_human(self, payload: dict[str, Any]) -> str:
        return _last_human(self.prompt(payload))

    def piece(self, text: str) -> Any:
        return {"object": "text_completion", "choices": [self._choice(text, None)]}

    def end(self, pieces: list[str], reason: str) -> list[Any]:
        last = {"object": "text_completion", "choices": [self._choice("", reason)]}
        return [last, {"choices": [], "usage": _usage(len(pieces))}]

    def whole(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        usage = _usage(len(text.split()))
        return {"choices": [self._choice(text, reason)], "usage": usage}

    @staticmethod
    def _choice(text: str, reason: str | None) -> Any:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}


class Chat(Dialect):
    """`POST /v1/chat/completions`."""

    def last_human(self, payload: dict[str, Any]) -> str:
        said = [one["content"] for one in payload["messages"] if one["role"] == "user"]
        return str(said[-1])

    def piece(self, text: str) -> Any:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        return {"object": "chat.completion.chunk", "choices": [choice]}

    def end(self, pieces: list[str], reason: str) -> list[Any]:
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        return [last, {"choices": [], "usage": _usage(len(pieces))}]

    def whole(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {"choices": [choice], "usage": _usage(len(text.split()))}


ROUTES: dict[str, Dialect] = {
    "/generate": HuggingFace(),
    "/v1/completions": Completions(),
    "/v1/chat/completions": Chat(),
}


def event(document: Any) -> bytes:
    """Write one server-sent event; characters beyond ASCII go out as UTF-8, not escaped."""
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def _usage(completion_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": completion_tokens}


def _last_human(prompt: str) -> str:
    text = ("\n" + prompt).rpartition("\nHuman:")[2]
    return text.removesuffix("\nBot:").strip()
