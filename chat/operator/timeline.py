"""Where a reply's time went, as the parts of a bar: in the queue, until the first text, writing."""

from collections.abc import Iterable
from dataclasses import dataclass

from chat.schemas import Timings

WIDTH = 1000
LEAST = 3.0


@dataclass(frozen=True)
class Part:
    """One part of a bar, in units of WIDTH. `name` is also its class in the style sheet."""

    name: str
    label: str
    x: float
    width: float


@dataclass(frozen=True)
class Bar:
    """A reply's time. `total_ms` is its length, of which WIDTH is the page's longest."""

    total_ms: int
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Return it in words."""
        return ", ".join(part.label for part in self.parts)


def bar(timings: Timings, longest_ms: float) -> Bar:
    """Draw a finished reply on the scale of the longest one."""
    first_ms = timings.first_token_ms
    durations = [("queued", "queued", timings.queued_ms)]
    if first_ms is None:
        durations.append(("thinking", "no text for", timings.total_ms - timings.queued_ms))
    else:
        durations.append(("thinking", "first text after", first_ms - timings.queued_ms))
        durations.append(("writing", "written in", timings.total_ms - first_ms))
    return Bar(timings.total_ms, _parts(durations, longest_ms))


def waiting_bar(waited_ms: float, taken_ms: float | None, has_text: bool, longest_ms: float) -> Bar:
    """Draw a reply that is not there yet; `taken_ms` is how long a worker has been at it."""
    durations = [("queued", "queued for", waited_ms - (taken_ms or 0))]
    if taken_ms is not None:
        working = ("writing", "being written for") if has_text else ("thinking", "no text yet for")
        durations.append((*working, taken_ms))
    return Bar(round(waited_ms), _parts(durations, longest_ms))


def duration(milliseconds: float) -> str:
    """Return a length of time as a person reads it."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest:02} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _parts(durations: Iterable[tuple[str, str, float]], longest_ms: float) -> tuple[Part, ...]:
    parts, x = [], 0.0
    for name, label, length_ms in durations:
        length_ms = max(length_ms, 0)
        width = max(length_ms / max(longest_ms, 1) * WIDTH, LEAST if length_ms else 0)
        parts.append(Part(name, f"{label} {duration(length_ms)}", round(x, 1), round(width, 1)))
        x += width
    return tuple(parts)
