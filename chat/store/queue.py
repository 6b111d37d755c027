"""The queue of sessions that wait for a worker, and the positions of many of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from chat.schemas import QueueState
from chat.store.command import Arguments, Command, Reply
from chat.store.keys import loading_keys
from chat.store.redis_cluster.buckets import bucket_of
from chat.store.timing import QUEUE_KEPT_MS, WORKER_SILENCE_MS

# The arguments of every script that loads the state of the queue.
QUEUE_TIMES: Arguments = {
    "worker_silence_ms": WORKER_SILENCE_MS,
    "queue_kept_ms": QUEUE_KEPT_MS,
}


@dataclass(frozen=True)
class QueuePosition:
    """Where a session waits. `since` is another one if a worker has taken it meanwhile."""

    since: str
    queue: QueueState


Position = QueuePosition | None


def queue_state(reply: Reply, ahead: int) -> QueueState:
    """Return the state of the queue that a script loaded, for a session in it."""
    mean_reply_ms = reply["mean_reply_ms"]
    return QueueState(
        ahead=ahead,
        waiting=reply["waiting"],
        in_progress=reply["in_progress"],
        workers=reply["workers"],
        mean_reply_s=None if mean_reply_ms is None else mean_reply_ms / 1000,
        elapsed_s=reply["elapsed_ms"] / 1000,
    )


def positions(
    sessions: Sequence[str], buckets: int
) -> list[tuple[Sequence[int], Command[tuple[Position, ...]]]]:
    """Return the commands that load positions, each with the numbers of its sessions.

    A command's value has a position for each of them, None for one that waits for no worker.
    """
    groups: dict[int, list[int]] = {}
    for number, session in enumerate(sessions):
        groups.setdefault(bucket_of(session) if buckets > 1 else 0, []).append(number)
    return [
        (numbers, _load([sessions[number] for number in numbers])) for numbers in groups.values()
    ]


def _load(sessions: Sequence[str]) -> Command[tuple[Position, ...]]:
    arguments: Arguments = {"sessions": json.dumps(sessions), **QUEUE_TIMES}
    return Command("load_positions", loading_keys(sessions[0]), arguments, _parse)


def _parse(reply: Reply) -> tuple[Position, ...]:
    return tuple(
        QueuePosition(since, queue_state(reply, ahead)) if since else None
        for ahead, since in zip(reply["ahead"], reply["since"], strict=True)
    )
