"""Inputs that are almost valid: fragments of the formats, mixed with anything."""

import json
from typing import Any

from hypothesis import strategies as st

ID = "5f4dcc3b-5aa7-45d6-9d83-27deb882cf99"
ODD_CHARACTERS = "\x00\x1b\x85\u00ad\u200b\u202e\u2028\ufeff\ufffd\ud800\udfff\U0001f469\U000e0042"

any_text = st.text(st.one_of(st.characters(codec=None), st.sampled_from(ODD_CHARACTERS)))
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63, -(2**64), 10**400, 1e308, 0.1]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, any_text)


def json_values(names: list[str], values: list[Any]) -> st.SearchStrategy[Any]:
    """Return JSON values whose keys and texts are often these."""
    leaves = st.one_of(scalars, st.sampled_from(values))
    keys = st.one_of(st.sampled_from(names), st.text(max_size=5))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)
        ),
        max_leaves=20,
    )


def dumps(value: Any) -> str:
    """Return JSON text; like many programs, it writes NaN and Infinity."""
    return json.dumps(value, ensure_ascii=False)


def corrupted(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts with a part repeated, removed or replaced."""

    @st.composite
    def build(draw: st.DrawFn) -> str:
        text = draw(texts)
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        return text[:start] + draw(any_text) + text[end:] * draw(st.integers(0, 3))

    return build()


FRAME_NAMES = ["type", "id", "msg", "reply_to", "after", "replaces", "version"]
FRAME_VALUES: list[Any] = [
    "message.send",
    "reply.stop",
    "reply.regenerate",
    "reply.continue",
    "version.load",
    "version.choose",
    "session.sync",
    "session.extend",
    "session.ping",
    "message.accepted",
    ID,
    ID.upper(),
    f"{{{ID}}}",
    f"urn:uuid:{ID}",
    "[" * 5_000,
]
frame_objects = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(FRAME_VALUES), scalars)},
    optional={
        name: st.one_of(st.sampled_from(FRAME_VALUES), json_values(FRAME_NAMES, FRAME_VALUES))
        for name in FRAME_NAMES[1:]
    },
)
frame_texts = st.one_of(
    any_text,
    st.one_of(frame_objects, json_values(FRAME_NAMES, FRAME_VALUES)).map(dumps),
    corrupted(frame_objects.map(dumps)),
)

EVENT_NAMES = [
    *("token", "text", "special", "generated_text", "details", "finish_reason", "generated_tokens"),
    *("input_length", "choices", "delta", "message", "content", "usage", "prompt_tokens"),
    *("completion_tokens", "error", "error_type", "code", "type", "estimated_time"),
    *("reasoning_content", "reasoning", "object"),
]
EVENT_VALUES: list[Any] = [
    *("stop", "length", "eos_token", "Human:", "\nHuman:", "Hu", "loading", "overloaded"),
    *("<think>", "</think>", "<thi", "nk>", "a</think>b"),
    *("rate limit", "validation", "authentication", "429", 429, 503, 401, 10**25, [], {}, [[]]),
]
events = json_values(EVENT_NAMES, EVENT_VALUES)
reply_texts = st.one_of(
    scalars, st.sampled_from(["<think>", "</think>", "<thi", "nk>", "a</think>b", "`", "Human:"])
)
# Events that get as far as the text of a reply.
replies = st.one_of(
    st.builds(lambda text: {"token": {"text": text}}, reply_texts),
    st.builds(lambda text: {"choices": [{"delta": {"content": text}}]}, reply_texts),
    st.builds(lambda text: {"choices": [{"delta": {"reasoning": text}}]}, reply_texts),
    st.builds(lambda text: {"choices": [{"text": text, "finish_reason": "stop"}]}, reply_texts),
    st.builds(lambda text: [{"generated_text": text}], reply_texts),
    st.builds(lambda usage: {"choices": [], "usage": usage}, events),
    st.builds(lambda error: {"error": error}, events),
)
data = st.one_of(st.one_of(events, replies).map(dumps), st.just("[DONE]"), any_text)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return the body of a response: events, one value, or anything."""
    kind = draw(st.sampled_from(["stream", "value", "bytes"]))
    if kind == "bytes":
        return draw(st.binary(max_size=300))
    if kind == "value":
        return draw(data).encode("utf-8", "surrogatepass")
    field = st.sampled_from(["data: ", "data:", "data", "event: ", ": ", "\ufeffdata: ", ""])
    end = st.sampled_from(["\n\n", "\r\r", "\r\n\r\n", "\n", "\r", ""])
    lines = draw(st.lists(st.tuples(field, data, end), max_size=8))
    return "".join(map("".join, lines)).encode("utf-8", "surrogatepass")


@st.composite
def chunks(draw: st.DrawFn) -> list[bytes]:
    """Return a body in pieces."""
    body = draw(bodies())
    size = draw(st.integers(1, max(1, len(body))))
    return [body[start : start + size] for start in range(0, len(body), size)]


MARKERS = [
    *(
        "Human:",
        "Bot:",
        "human",
        "BOT",
        ":",
        "\uff1a",
        "\n",
        "\r\n",
        "\u2028",
        "**",
        "- ",
        "> ",
        "# ",
    ),
    *("1. ", "<b>", "</b>", "`", "[", "]", "\u200b", "\u0430", "\u043e", "\u041d", "<|im_start|>"),
    *("<|", "|>", "[INST]", "<s>", "</s>", "<start_of_turn>", "<<SYS>>", " ", "0", "word "),
]
turn_texts = st.lists(st.one_of(st.sampled_from(MARKERS), any_text), max_size=12).map("".join)
