"""The service's own figures, minute by minute: what the scripts count and the dashboard draws.

They are counted by the scripts that store what is counted, so each outcome counts once, whichever
process dies, and at no round trip of its own. A minute is a hash:

    begun, accepted, swept       how often
    replied, failed:<code>       how messages ended
    first:<n>, total:<n>         replies whose first text, and whose end, took that long (`bucket`)
    sockets, waiting             open sockets, sessions with something to answer, at the last sweep
    loading                      times a worker was told that the model is loading
    at:<figure>                  when it last happened, in milliseconds since 1970
"""

import math
from collections import Counter
from collections.abc import Mapping

from chat.schemas import NewReply

BUCKET_RATIO = 1.2
BUCKETS = 90


def outcome_figures(reply: NewReply) -> tuple[str, ...]:
    """Return what a committed reply adds to its minute, its outcome first."""
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
    """Return the duration below which `share` of the counted ones are, None where there is none.

    `counts` is by bucket. Within a bucket the middle is taken, so it is right to a tenth.
    """
    rank = share * sum(counts.values())
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank and counts[number]:
            return math.sqrt(bucket_ms(number) * bucket_ms(max(number - 1, 0)))
    return None


def durations(figures: Mapping[str, int], name: str) -> Counter[int]:
    """Return how often each bucket was counted: of `first` or of `total`."""
    return Counter(
        {
            int(figure.removeprefix(f"{name}:")): count
            for figure, count in figures.items()
            if figure.startswith(f"{name}:")
        }
    )


def failures(figures: Mapping[str, int]) -> Counter[str]:
    """Return how often replies failed, by code."""
    return Counter(
        {
            figure.removeprefix("failed:"): count
            for figure, count in figures.items()
            if figure.startswith("failed:")
        }
    )
