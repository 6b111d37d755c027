"""Markers in messages, by which a reply in the wrong session is recognised."""

import re
import secrets
from collections.abc import Iterator

MARKER = re.compile(r"\bm[0-9a-f]{12}\b")
FILLER = "followed by some filler text that is streamed word by word"


def new_marker() -> str:
    """Return a marker that no other session has."""
    return f"m{secrets.token_hex(6)}"


def marked_text(marker: str, number: int, filler: str = FILLER) -> str:
    """Return a session's message number `number`."""
    return f"{marker} {number} {filler}"


def echo(text: str) -> str:
    """Return the model stub's reply to a text."""
    return f"You said: {text}"


def markers_in(text: str) -> Iterator[str]:
    """Yield every marker in a text."""
    return (found.group() for found in MARKER.finditer(text))
