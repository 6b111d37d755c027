"""What the stub does with one request. A script is a list of behaviours."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Behaviour:
    """How the stub responds to one request. The fields can be combined.

    Content. `text` or `pieces` is the reply (default: `You said: <the last human text>`, one piece
    per word, or what is missing of it if the prompt contains its beginning), `finish_reason` is
    `stop` or `length`, None omits it, `done` sends `[DONE]`.
    `shape` is a stream of events, or one JSON `array` or `object`. `echo_prompt` repeats the prompt
    first. `reasoning` precedes the reply in `reasoning_field`, in the chat dialect only. `error`,
    with `error_fields` beside it, is sent instead of a reply, or after `error_after` pieces. `raw`
    replaces the whole body, `filler_bytes` is the size of a body of spaces. `endless` repeats the
    pieces until the client disconnects.

    Time. `delay_s` passes before the headers, `piece_delay_s` before each piece, `byte_delay_s`
    after each byte, headers too. `split_bytes` sends each byte of a body in a chunk of its own.
    `hold_after` waits after a number of pieces until the test calls `release`.

    Faults, each after a number of pieces, 0 for before the headers: `reset_after` (RST),
    `close_after` (FIN in mid-response), `hang_after` (until the client disconnects).
    `hang_at_end` hangs after the last piece. `truncate` omits the second half of the body, with
    valid framing.

    `times`: for how many requests; None for all that follow.
    """

    text: str | None = None
    pieces: tuple[str, ...] | None = None
    reasoning: tuple[str, ...] = ()
    reasoning_field: str = "reasoning_content"
    finish_reason: str | None = "stop"
    done: bool = True
    shape: Literal["stream", "array", "object"] = "stream"
    echo_prompt: bool = False
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Any = None
    error_fields: Mapping[str, Any] = field(default_factory=dict)
    error_after: int | None = None
    raw: str | None = None
    filler_bytes: int | None = None
    endless: bool = False
    delay_s: float = 0.0
    piece_delay_s: float = 0.0
    byte_delay_s: float = 0.0
    split_bytes: bool = False
    hold_after: int | None = None
    reset_after: int | None = None
    close_after: int | None = None
    hang_after: int | None = None
    hang_at_end: bool = False
    truncate: bool = False
    times: int | None = 1

    @classmethod
    def from_json(cls, document: Any) -> "Behaviour":
        """Build one from a JSON object of its fields; ValueError if a field is unknown."""
        known = {each.name for each in fields(cls)}
        if not isinstance(document, dict) or not document.keys() <= known:
            raise ValueError(f"A behaviour is an object with fields out of {sorted(known)}")
        lists = {name: tuple(each) for name, each in document.items() if isinstance(each, list)}
        return cls(
            **document | {name: lists[name] for name in ("pieces", "reasoning") if name in lists}
        )


def loading(estimated_time_s: float = 20.0) -> Behaviour:
    """Return the behaviour of an endpoint that is still loading its model."""
    return Behaviour(
        status=503,
        error="Model EleutherAI/gpt-j-6b is currently loading",
        error_fields={"estimated_time": estimated_time_s},
    )


def overloaded(retry_after_s: float = 1) -> Behaviour:
    """Return the behaviour of a server that limits its rate."""
    return Behaviour(
        status=429,
        headers={"Retry-After": f"{retry_after_s:g}"},
        error="Model is overloaded",
        error_fields={"error_type": "overloaded"},
    )


def failing(status: int, error: Any = "It failed") -> Behaviour:
    """Return the behaviour of a server that fails with a status."""
    return Behaviour(status=status, error=error)
