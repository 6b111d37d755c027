"""How well the embedded model replies: the share of 60 scripted items with a good reply.

`python -m bench.embedded` has options to try other parameters and prompts: it measures all
combinations of the values given. `--help` lists them.

Items are asked as the chat asks them: the last messages of a session, over HTTP. What differs in
no window is asked once. Replies depend on a seed, so each seed gives another score.
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench._options import options
from bench._scoring import Item, Score, load_items, score
from chat.schemas import StoredMessage
from chat.worker.history import history_window
from chatproject.model_configuration.model_variables import AUTO, history_messages
from inference.model_client import HttpModelClient, ModelSettings, Turn, build_client
from tests.ports import free_port
from tests.processes import Stack

WINDOWS: Final = ("4", AUTO)
SLOTS: Final = 8
THREADS: Final = 1
CONTEXT_TOKENS: Final = 2048
MAX_NEW_TOKENS: Final = 200
# System prompts to try; the first one was that of the embedded model before it was measured.
PROMPTS: Final = (
    "You are a helpful assistant. Answer in plain English, briefly and truthfully.",
    "You are a helpful assistant.",
    "You are a helpful assistant named SmolLM, trained by Hugging Face",
    "You are a friendly assistant. Reply to the last message in one or two short sentences.",
    "Answer the user's last message directly and briefly. Use what the user told you before.",
    "You are a helpful assistant. Reply to the last message in English, in one or two short"
    " sentences. Use what the user told you earlier.\nExamples:\nUser: Name two animals.\n"
    "Assistant: A cat and a horse.\nUser: My cat is called Mia. What is my cat called?\n"
    "Assistant: Your cat is called Mia.",
    "Reply in English with one short and correct sentence. If the user asks for something that they"
    " told you, repeat it.",
)
PARAMETERS: Final = ("temperature", "top_p", "min_p", "repeat_penalty")
RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Variant:
    """Parameters of the request and a system prompt; without them, the server's own."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    system_prompt: str = ""


@dataclass(frozen=True)
class Reply:
    """A reply to an item and how well it follows the rules."""

    text: str
    score: Score


Results = dict[tuple[str, str], list[Reply]]

CURRENT: Final = Variant("current")
BEFORE: Final = Variant(
    "before", {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.05}, PROMPTS[0]
)


def run() -> Iterator[str]:
    """Ask every item once with the server's own parameters and prompt."""
    items = load_items()
    yield from measure([CURRENT], items[:: options.amount(1, len(items) // 3)], seeds=1)


def measure(
    variants: Sequence[Variant],
    items: Sequence[Item],
    seeds: int,
    windows: Sequence[str] = WINDOWS,
    *,
    show: bool = False,
) -> Iterator[str]:
    """Yield lines for each variant and window.

    They contain the shares of replies that are good and that follow each rule, in percent with the
    standard deviation of the seeds, and the difference to the first variant with its 95 % interval.
    """
    yield f"{seeds} seeds"
    with embedded_server() as server, ThreadPoolExecutor(SLOTS) as threads:
        first: Results = {}
        for variant in variants:
            by_seed = [
                _ask_seed(server, threads, variant, items, seed, windows) for seed in range(seeds)
            ]
            results = {key: [replies[key] for replies in by_seed] for key in by_seed[0]}
            first = first or results
            for window in windows:
                yield f"{variant.name}, window {window}"
                for part, some in _parts(items).items():
                    line = f"  {part}: {_summary(results, some, window)}"
                    if results is not first:
                        line += f"; difference {_difference(first, results, some, window)}"
                    yield line
                if show:
                    yield from _bad_replies(results, items, window)


@contextmanager
def embedded_server() -> Iterator[dict[str, Any]]:
    """Run the embedded model; yield its address and key."""
    with tempfile.TemporaryDirectory(prefix="chat-bench-") as folder:
        port = str(free_port())
        environment = {
            "EMBEDDED_MODEL_PORT": port,
            "EMBEDDED_MODEL_SLOTS": str(SLOTS),
            "EMBEDDED_MODEL_THREADS": str(THREADS),
        }
        with Stack(Path(folder), environment) as stack:
            process = stack.run("model", "python manage.py runmodel", {})
            process.wait_until(lambda: "Serving" in process.output(), "to load")
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            yield {"url": url, "token": Path(folder, "model_key").read_text()}


def window_of(item: Item, window: str) -> tuple[Turn, ...]:
    """Return what the chat sends for the last message of an item."""
    messages: list[StoredMessage] = []
    for seq, text in enumerate(item.turns, start=1):
        is_human = seq % 2 == 1
        messages.append(
            StoredMessage(
                id=uuid.uuid5(uuid.NAMESPACE_OID, f"{item.id} {seq}"),
                seq=seq,
                source="human" if is_human else "bot",
                msg=text,
                timestamp=datetime.now(UTC),
                reply_to=None if is_human else messages[-1].id,
            )
        )
    return history_window(messages, messages[-1], history_messages(window))


def _ask_seed(
    server: Mapping[str, Any],
    threads: ThreadPoolExecutor,
    variant: Variant,
    items: Sequence[Item],
    seed: int,
    windows: Sequence[str],
) -> dict[tuple[str, str], Reply]:
    """Return the replies by item and window."""
    settings = ModelSettings(
        api="chat",
        name="embedded",
        timeout_s=120,
        parameters={**variant.parameters, "seed": seed},
        system_prompt=variant.system_prompt,
        context_tokens=CONTEXT_TOKENS,
        max_new_tokens=MAX_NEW_TOKENS,
        **server,
    )
    client = build_client(settings)
    asked = {(item.id, window_of(item, window)): item for item in items for window in windows}
    replies = threads.map(lambda key: _ask(client, asked[key], key[1]), asked)
    found = dict(zip(asked, replies, strict=True))
    client.close()
    return {
        (item.id, window): found[item.id, window_of(item, window)]
        for item, window in itertools.product(items, windows)
    }


def _ask(client: HttpModelClient, item: Item, turns: Sequence[Turn]) -> Reply:
    with client.generate(turns) as generation:
        text = "".join(generation)
    return Reply(text, score(item, text, generation.finish_reason))


def _parts(items: Sequence[Item]) -> dict[str, Sequence[Item]]:
    """Return the items, and those held out from the choice of parameters if that is a part."""
    held_out = [item for item in items if item.held_out]
    is_part = 0 < len(held_out) < len(items)
    return {f"{len(items)} items": items} | ({"held out": held_out} if is_part else {})


def _summary(results: Results, items: Sequence[Item], window: str) -> str:
    """Return the shares of replies that are good, and that follow each rule."""
    rules: dict[str, Callable[[Score], bool | None]] = {
        "good": lambda score: score.is_good,
        "on topic": lambda score: score.on_topic,
        "language": lambda score: score.right_language,
        "stops": lambda score: score.stops,
        "facts": lambda score: score.uses_facts,
    }
    shares = []
    for name, rule in rules.items():
        scores = [[rule(each.score) for each in results[item.id, window]] for item in items]
        concerned = [each for each in scores if None not in each]
        by_seed = [100 * statistics.mean(column) for column in zip(*concerned, strict=True)]
        if by_seed:
            shares.append(f"{name} {_mean(by_seed)}")
    return ", ".join(shares)


def _mean(values: Sequence[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


def _difference(first: Results, second: Results, items: Sequence[Item], window: str) -> str:
    """Return the difference of good replies with its 95 % interval, by resampling the items."""

    def share(results: Results, item: Item) -> float:
        return 100 * statistics.mean(each.score.is_good for each in results[item.id, window])

    differences = [share(second, item) - share(first, item) for item in items]
    chance = random.Random(0)  # noqa: S311
    means = sorted(
        statistics.mean(chance.choices(differences, k=len(items))) for _ in range(RESAMPLES)
    )
    low, high = means[RESAMPLES // 40], means[-RESAMPLES // 40]
    return f"{statistics.mean(differences):+.1f} ({low:+.1f} to {high:+.1f})"


def _bad_replies(results: Results, items: Sequence[Item], window: str) -> Iterator[str]:
    for item in items:
        for reply in results[item.id, window]:
            if not reply.score.is_good:
                yield f"  {item.id}: {reply.text!r} {reply.score}"


def main(arguments: Sequence[str]) -> None:
    """Measure the values before, then all combinations of those given or the server's own."""
    parser = argparse.ArgumentParser(description="Compare parameters of the embedded model.")
    for name in PARAMETERS:
        parser.add_argument(f"--{name}", type=float, nargs="+", default=[None])
    parser.add_argument("--prompt", type=int, nargs="+", default=[None], help="numbers of PROMPTS")
    parser.add_argument("--windows", nargs="+", default=WINDOWS, help="HISTORY_MESSAGES")
    parser.add_argument("--items", choices=("all", "search", "held_out"), default="all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", action="store_true", help="show the replies that are not good")
    wanted = parser.parse_args(arguments)
    values = (*(getattr(wanted, name) for name in PARAMETERS), wanted.prompt)
    variants = [BEFORE, *itertools.starmap(_variant, itertools.product(*values))]
    items = [each for each in load_items() if wanted.items in ("all", _part(each))]
    for line in measure(variants, items, wanted.seeds, wanted.windows, show=wanted.show):
        print(line, flush=True)  # noqa: T201


def _variant(*values: Any) -> Variant:
    """Return the variant with a value, or None, for each of PARAMETERS and for the prompt."""
    *given, prompt = values
    pairs = zip(PARAMETERS, given, strict=True)
    parameters = {name: value for name, value in pairs if value is not None}
    facts = parameters | ({} if prompt is None else {"prompt": prompt})
    name = ", ".join(f"{name} {value}" for name, value in facts.items()) or CURRENT.name
    return Variant(name, parameters, "" if prompt is None else PROMPTS[prompt])


def _part(item: Item) -> str:
    return "held_out" if item.held_out else "search"


if __name__ == "__main__":
    main(sys.argv[1:])
