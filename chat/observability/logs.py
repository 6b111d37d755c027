"""Log lines with the session and message they belong to, and without texts and secrets.

The log context holds the session's id, which is not its token, and the message's id. It is set
where a frame arrives and where a worker takes a message, and applies to everything called there.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

_session: ContextVar[str | None] = ContextVar("session", default=None)
_message: ContextVar[str | None] = ContextVar("message", default=None)

# Libraries log queries and paths with tokens, and addresses with passwords. A token is a UUID, so
# no text may contain one. Ids of sessions are 32 digits without hyphens, and stay; the bits that
# mark a random UUID tell the two apart.
_DIGIT = "[0-9a-f]"
_UUIDS = re.compile(
    rf"{_DIGIT}{{8}}(?:-{_DIGIT}{{4}}){{3}}-{_DIGIT}{{12}}"
    rf"|(?<!{_DIGIT})(?={_DIGIT}+-)(?:{_DIGIT}-{{0,4}}){{31}}{_DIGIT}(?!{_DIGIT})"
    rf"|(?<!{_DIGIT}){_DIGIT}{{12}}4{_DIGIT}{{3}}[89ab]{_DIGIT}{{15}}(?!{_DIGIT})",
    re.IGNORECASE,
)
# Most lines contain none of these, which is faster to see than that no pattern matches.
_UUID_HINT = re.compile("[0-9a-fA-F-]{32}")
_CREDENTIALS = (
    ("token", re.compile(r"(token[=.:]\s*)[\w%.{}-]+", re.IGNORECASE), r"\1***"),
    ("password=", re.compile(r"(password=)[^\s&'\"]+", re.IGNORECASE), r"\1***"),
    ("bearer", re.compile(r"(bearer\s+)[^\s'\"]+", re.IGNORECASE), r"\1***"),
    ("://", re.compile(r"://[^\s/@]{0,200}:[^\s@]{0,500}@"), "://***@"),
)
_WORD = re.compile(r"\S+")
MAX_QUOTINGS = 5


@contextmanager
def log_context(*, session: str | None = None, message: str | None = None) -> Iterator[None]:
    """Set the session or the message in the log lines of the block."""
    variable, value = (_session, session) if session else (_message, message)
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


def set_log_session(session: str) -> None:
    """Set the session in the log lines of this asyncio task and of tasks that it starts."""
    _session.set(session)


class LogContextFilter(logging.Filter):
    """Adds the log context to a record, in the task or thread that logs it.

    Django logs requests that it refuses, such as those with a wrong Host header, as errors with a
    traceback. They are the client's errors, so they become warnings of one line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the context and let every record pass."""
        record.session, record.message_id = _session.get(), _message.get()
        if record.name.startswith("django.security.") and record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    Contains `time`, `level`, `logger`, `process`, `text`, the values of `facts` and, if known,
    `session`, `message` and `exception`. Other attributes are left out, because libraries attach
    requests and frames to their records.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, redacted."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "text": redact(record.getMessage()),
            # The only ids that stay: those of the log context.
            "session": getattr(record, "session", None),
            "message": getattr(record, "message_id", None),
            **{name: _redact_fact(fact) for name, fact in getattr(record, "facts", {}).items()},
        }
        if record.exc_info:
            fields["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in fields.items() if value is not None})


class TextFormatter(logging.Formatter):
    """Formats a record as a line of text, with shortened ids."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 overrides logging.Formatter
        """Return the line without a traceback."""
        ids = (getattr(record, name, None) for name in ("session", "message_id"))
        context = "/".join(each[:8] for each in ids if each)
        facts = [f"{name}={value}" for name, value in getattr(record, "facts", {}).items()]
        parts = [super().formatMessage(record), context and f"[{context}]", *facts]
        return " ".join(filter(None, parts))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line and its traceback, redacted."""
        return redact(super().format(record))


def redact(text: str) -> str:
    """Replace tokens and passwords, as they appear in addresses, paths and headers, with `***`.

    A word that contains a secret only once it is unquoted is logged unquoted.
    """
    return _redact_plain(_WORD.sub(_redact_quoted, text) if "%" in text else text)


def _redact_plain(text: str) -> str:
    if _UUID_HINT.search(text):
        text = _UUIDS.sub("***", text)
    lower = text.lower()
    for hint, pattern, replacement in _CREDENTIALS:
        if hint in lower:
            text = pattern.sub(replacement, text)
    return text


def _redact_quoted(word: re.Match[str]) -> str:
    quoted = word[0]
    if "%" not in quoted:
        return quoted
    for _ in range(MAX_QUOTINGS):
        unquoted = unquote(quoted)
        if unquoted == quoted:
            break
        quoted = unquoted
    redacted = _redact_plain(quoted)
    if redacted == quoted:
        return word[0]
    # A line of the log must not be able to imitate others.
    return "".join(each if each.isprintable() else "?" for each in redacted)


def _redact_fact(fact: object) -> object:
    return redact(fact) if isinstance(fact, str) else fact
