"""The three dialects from the server's side: request payloads in, JSON documents out."""

import json
from abc import ABC, abstractmethod
from typing import Any


class Dialect(ABC):
    """How one route parses a request and builds the documents of its response."""

    def prompt(self, payload: dict[str, Any]) -> str:
        """Return the prompt; empty if the route has none."""
        return ""

    @abstractmethod
    def last_human_text(self, payload: dict[str, Any]) -> str:
        """Return the text of the last human message."""

    @abstractmethod
    def beginning(self, payload: dict[str, Any]) -> str:
        """Return the text that the reply continues; empty for a new reply."""

    @abstractmethod
    def piece_event(self, text: str) -> Any:
        """Return the event of one piece of text."""

    def reasoning_event(self, text: str, field: str) -> Any:
        """Return the event of one piece of reasoning."""
        raise NotImplementedError

    @abstractmethod
    def end_events(self, pieces: list[str], reason: str) -> list[Any]:
        """Return the events that end a stream."""

    @abstractmethod
    def document(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        """Return the whole reply as one document."""

    def with_reasoning(self, document: Any, text: str, field: str) -> Any:
        """Return a document of the whole reply with its reasoning."""
        raise NotImplementedError


class HuggingFace(Dialect):
    """`POST /generate`."""

    def prompt(self, payload: dict[str, Any]) -> str:
        return str(payload["inputs"])

    def last_human_text(self, payload: dict[str, Any]) -> str:
        return _last_turns(self.prompt(payload))[0]

    def beginning(self, payload: dict[str, Any]) -> str:
        return _last_turns(self.prompt(payload))[1]

    def piece_event(self, text: str) -> Any:
        token = {"id": 1, "text": text, "logprob": -0.1, "special": False}
        return {"index": 1, "token": token, "generated_text": None, "details": None}

    def end_events(self, pieces: list[str], reason: str) -> list[Any]:
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

    def document(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        document: dict[str, Any] = {"generated_text": text}
        if reason == "length":
            document["details"] = {"finish_reason": "length", "generated_tokens": len(text.split())}
        return [document] if as_array else document


class Completions(Dialect):
    """`POST /v1/completions`."""

    def prompt(self, payload: dict[str, Any]) -> str:
        return str(payload["prompt"])

    def last_human_text(self, payload: dict[str, Any]) -> str:
        return _last_turns(self.prompt(payload))[0]

    def beginning(self, payload: dict[str, Any]) -> str:
        return _last_turns(self.prompt(payload))[1]

    def piece_event(self, text: str) -> Any:
        return {"object": "text_completion", "choices": [self._choice(text, None)]}

    def end_events(self, pieces: list[str], reason: str) -> list[Any]:
        last = {"object": "text_completion", "choices": [self._choice("", reason)]}
        return [last, {"choices": [], "usage": _usage(len(pieces))}]

    def document(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        usage = _usage(len(text.split()))
        return {"choices": [self._choice(text, reason)], "usage": usage}

    @staticmethod
    def _choice(text: str, reason: str | None) -> Any:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}


class Chat(Dialect):
    """`POST /v1/chat/completions`."""

    def last_human_text(self, payload: dict[str, Any]) -> str:
        texts = [each["content"] for each in payload["messages"] if each["role"] == "user"]
        return str(texts[-1])

    def beginning(self, payload: dict[str, Any]) -> str:
        last = payload["messages"][-1]
        is_continued = last["role"] == "assistant" and payload["continue_final_message"]
        return str(last["content"]) if is_continued else ""

    def piece_event(self, text: str) -> Any:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        return {"object": "chat.completion.chunk", "choices": [choice]}

    def reasoning_event(self, text: str, field: str) -> Any:
        choice = {"index": 0, "delta": {field: text, "content": None}, "finish_reason": None}
        return {"object": "chat.completion.chunk", "choices": [choice]}

    def end_events(self, pieces: list[str], reason: str) -> list[Any]:
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        return [last, {"choices": [], "usage": _usage(len(pieces))}]

    def document(self, text: str, reason: str | None, *, as_array: bool) -> Any:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {"choices": [choice], "usage": _usage(len(text.split()))}

    def with_reasoning(self, document: Any, text: str, field: str) -> Any:
        document["choices"][0]["message"][field] = text
        return document


ROUTES: dict[str, Dialect] = {
    "/generate": HuggingFace(),
    "/v1/completions": Completions(),
    "/v1/chat/completions": Chat(),
}


def encode_event(document: Any) -> bytes:
    """Encode a server-sent event, with non-ASCII characters as UTF-8 instead of escapes."""
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def _usage(completion_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": completion_tokens}


def _last_turns(prompt: str) -> tuple[str, str]:
    """Return the last human text, and the text of the bot after it."""
    text = ("\n" + prompt).rpartition("\nHuman:")[2]
    human, _, bot = text.partition("\nBot:")
    return human.strip(), bot.strip()
