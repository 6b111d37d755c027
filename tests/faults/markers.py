"""Messages with a marker of their session, so that another session's text is recognised."""

import re
import secrets
from collections.abc import Iterator

MARKER = re.compile(r"\bm[0-9a-f]{12}\b")
WORDS = "and some more words to write down one by one"


def new_marker() -> str:
    """Return a marker that no other session has."""
    return f"m{secrets.token_hex(6)}"


def marked_text(marker: str, number: int, words: str = WORDS) -> str:
    """Return a session's message number `number`."""
    return f"{marker} {number} {words}"


def echo(text: str) -> str:
    """Return the model stub's reply to a text."""
    return f"You said: {text}"


def by_hand(text: str) -> str:
    """Return the test operator's answer to a text."""
    return f"A person says: {text}"


def markers_in(text: str) -> Iterator[str]:
    """Yield every marker in a text."""
    return (found.group() for found in MARKER.finditer(text))
