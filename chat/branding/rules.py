"""What the operator's texts may be: limits that the settings and the admin's form share.

Each function raises ValueError with a sentence about the value.
"""

import re
from collections.abc import Iterable
from typing import Any

from chat.schemas import has_invisible

MAX_NAME_CHARS = 40
MAX_WELCOME_CHARS = 2_000
MAX_SUGGESTIONS = 4
MAX_SUGGESTION_CHARS = 120
MAX_DISCLAIMER_CHARS = 300
MAX_BANNER_CHARS = 500
MAX_LINKS = 4
MAX_LABEL_CHARS = 40
MAX_URL_CHARS = 500
LEVELS = ("info", "warning", "error")
# A path of this site, but not //host, which is an address on another one.
URL = re.compile(r"(https://[^\s/?#\\]+([/?#]\S*)?|/(?![/\\])\S*)")


def check_name(name: str) -> None:
    """Check the name of the site."""
    _check_line(name, MAX_NAME_CHARS)


def check_disclaimer(text: str) -> None:
    """Check the text below the message box."""
    _check_line(text, MAX_DISCLAIMER_CHARS)


def check_banner(text: str) -> None:
    """Check the text above the page."""
    _check_line(text, MAX_BANNER_CHARS)


def check_welcome(text: str) -> None:
    """Check the Markdown above the name form."""
    if len(text) > MAX_WELCOME_CHARS:
        raise ValueError(f"Must have at most {MAX_WELCOME_CHARS} characters.")


def check_suggestions(suggestions: Any) -> None:
    """Check the questions of an empty conversation."""
    if not _is_list_of_texts(suggestions):
        raise ValueError('Must be a JSON array of questions, such as ["Who are you?"].')
    if len(suggestions) > MAX_SUGGESTIONS:
        raise ValueError(f"Must have at most {MAX_SUGGESTIONS} questions.")
    for suggestion in suggestions:
        _check_line(suggestion, MAX_SUGGESTION_CHARS)


def check_links(links: Any) -> None:
    """Check the links below the page: an object of labels and URLs."""
    if not isinstance(links, dict) or not _is_list_of_texts([*links, *links.values()]):
        raise ValueError('Must be a JSON object of labels and URLs, such as {"Imprint": "/i"}.')
    check_pairs(links.items())


def check_pairs(links: Iterable[tuple[str, str]]) -> None:
    """Check labels and URLs."""
    pairs = list(links)
    if len(pairs) > MAX_LINKS:
        raise ValueError(f"Must have at most {MAX_LINKS} links.")
    for label, url in pairs:
        _check_line(label, MAX_LABEL_CHARS)
        if len(url) > MAX_URL_CHARS or not URL.fullmatch(url) or has_invisible(url):
            raise ValueError("Must have https:// URLs or paths such as /imprint.")


def _is_list_of_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _check_line(text: str, max_chars: int) -> None:
    if not text.strip() or len(text) > max_chars:
        raise ValueError(f"Must have 1 to {max_chars} characters.")
    if has_invisible(text):
        raise ValueError("Must be one line without control or text direction characters.")
