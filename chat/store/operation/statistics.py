"""Statistics by minute, counted in Redis and shown on the dashboard.

The scripts that store an outcome also count it, so each outcome counts once even if a process dies,
and counting needs no further round trip. A minute is a hash:

    created, accepted, swept     number of created sessions, accepted messages, sweeps
    operator_joined, by_operator  operators who joined, messages that they wrote
    replied, failed:<code>       outcomes
    first:<n>, total:<n>         replies by the time to their first text and to their end (`bucket`)
    sockets, waiting             open sockets, sessions with unanswered messages, at the last sweep
    memory                       used memory of Redis in bytes, at the last sweep
    rated:up, rated:down         replies rated so, minus those whose rating was changed or revoked
    loading                      times the model reported that it is loading
    refused:<reason>             calls that the model server refused, by status and error name
    at:<figure>                  time of the last such event, in milliseconds since 1970
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chat.schemas import NewReply
from chat.store.command import Command, Reply, named, no_value
from chat.store.keys import cluster_keys
from chat.store.timing import instant

BUCKET_RATIO = 1.2
BUCKETS = 90
REFUSED = "refused:"
NOT_ADDED = frozenset({"swept", "memory"})


@dataclass(frozen=True)
class Minutes:
    """Figures by minute, oldest first; the last minute is incomplete."""

    now: datetime
    figures: tuple[dict[str, int], ...]


def load_minutes(count: int) -> Command[Minutes]:
    """Load the figures of the last `count` minutes."""

    def parse(reply: Reply) -> Minutes:
        figures = tuple(
            {name: int(value) for name, value in named(minute).items()}
            for minute in reply["minutes"]
        )
        return Minutes(instant(reply["now_ms"]), figures)

    return Command("load_minutes", cluster_keys(), {"count": count}, parse, _merge_minutes)


def _merge_minutes(buckets: Sequence[Minutes]) -> Minutes:
    """Add up the figures of buckets by minute. Their servers' clocks may differ a little.

    Times are the last ones. Every bucket counts each sweep, and has the memory of its server.
    """
    last = max(_number_of(each.now) for each in buckets)
    merged: list[dict[str, int]] = [{} for _ in buckets[0].figures]
    for each in buckets:
        behind = last - _number_of(each.now)
        for total, figures in zip(merged, each.figures[behind:], strict=False):
            for name, value in figures.items():
                is_sum = not (name.startswith("at:") or name in NOT_ADDED)
                known = total.get(name, 0)
                total[name] = known + value if is_sum else max(known, value)
    return Minutes(max(each.now for each in buckets), tuple(merged))


def _number_of(time: datetime) -> int:
    """Return the number of a minute since 1970."""
    return int(time.timestamp() // 60)


def count_event(figure: str) -> Command[None]:
    """Count an event in the current minute and record its time, up to a number of figures."""
    return Command("count_event", cluster_keys(), {"figure": figure}, no_value)


def refused(reason: str) -> str:
    """Return the figure that counts calls which the model server refused for a reason."""
    return f"{REFUSED}{reason or 'without a status'}"


def outcome_figures(reply: NewReply) -> tuple[str, ...]:
    """Return the figures that a committed reply increments, its outcome first."""
    if reply.source == "operator":
        return ("by_operator",)
    if reply.error:
        return (f"failed:{reply.error.code}",)
    figures = ["replied", f"total:{bucket(reply.timings.total_ms)}"]
    if reply.timings.first_token_ms is not None:
        figures.append(f"first:{bucket(reply.timings.first_token_ms)}")
    return tuple(figures)


def bucket(duration_ms: float) -> int:
    """Return the number of the bucket: n holds up to BUCKET_RATIO ** n milliseconds."""
    return min(math.ceil(math.log(max(duration_ms, 1), BUCKET_RATIO)), BUCKETS)


def bucket_ms(number: int) -> float:
    """Return the longest duration of a bucket, in milliseconds."""
    return BUCKET_RATIO**number


def percentile_ms(counts: Mapping[int, int], share: float) -> float | None:
    """Return the duration below which `share` of the counted ones are; None if there are none.

    `counts` is by bucket. The result is a bucket's middle, so it is accurate to a tenth.
    """
    rank = share * sum(counts.values())
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank and counts[number]:
            return math.sqrt(bucket_ms(number) * bucket_ms(max(number - 1, 0)))
    return None


def durations(figures: Mapping[str, int], name: str) -> Counter[int]:
    """Return counts by bucket, of `first` or of `total`."""
    return Counter({int(n): count for n, count in _with_prefix(figures, f"{name}:")})


def failures(figures: Mapping[str, int]) -> Counter[str]:
    """Return the number of failed replies by code."""
    return Counter(dict(_with_prefix(figures, "failed:")))


def ratings(figures: Mapping[str, int]) -> tuple[int, int]:
    """Return the numbers of replies rated as good and as bad.

    A rating may have been revoked that was given before these minutes.
    """
    return max(figures.get("rated:up", 0), 0), max(figures.get("rated:down", 0), 0)


@dataclass(frozen=True)
class Refusal:
    """Why the model server refused calls: status and name of the error, and when it last did."""

    reason: str
    calls: int
    last_at: datetime


def refusals(minutes: Minutes) -> list[Refusal]:
    """Return the reasons for which the model server refused calls, the latest first."""
    calls: Counter[str] = Counter()
    last_ms: dict[str, int] = {}
    for figures in minutes.figures:
        calls.update(dict(_with_prefix(figures, REFUSED)))
        last_ms.update(_with_prefix(figures, f"at:{REFUSED}"))
    found = [Refusal(reason, count, instant(last_ms[reason])) for reason, count in calls.items()]
    return sorted(found, key=lambda refusal: refusal.last_at, reverse=True)


def _with_prefix(figures: Mapping[str, int], prefix: str) -> Iterator[tuple[str, int]]:
    for figure, count in figures.items():
        if figure.startswith(prefix):
            yield figure.removeprefix(prefix), count
