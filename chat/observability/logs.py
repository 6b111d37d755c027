"""Logging: every line names its session and message, and none contains a text or a token.

The session's id (which is not its token) and the message's id are context variables. They are set
where a frame is received and where a worker takes a message.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_session: ContextVar[str | None] = ContextVar("session", default=None)
_message: ContextVar[str | None] = ContextVar("message", default=None)

# Libraries log queries with tokens and URLs with passwords.
_SECRETS = (
    (re.compile(r"(token[=.:]\s*)[\w%.-]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(bearer\s+)[^\s'\"]+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\w+://)[^\s/@]*:[^\s@]*@"), r"\1***@"),
)


@contextmanager
def log_context(*, session: str | None = None, message: str | None = None) -> Iterator[None]:
    """Add a session's or message's id to all log lines of the block."""
    variable, value = (_session, session) if session else (_message, message)
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)


def set_log_session(session: str) -> None:
    """Add a session's id to all log lines of this asyncio task and of the tasks it starts."""
    _session.set(session)


class LogContextFilter(logging.Filter):
    """Adds the context's ids to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids; no record is dropped."""
        record.session, record.message_id = _session.get(), _message.get()
        return True


class JsonFormatter(logging.Formatter):
    """Writes one JSON object per line.

    Members: `time`, `level`, `logger`, `process`, `text`, and if known `session`, `message`, the
    record's facts and `exception`. No other attribute of a record is written: libraries attach
    requests and frames to theirs.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "text": record.getMessage(),
            "session": getattr(record, "session", None),
            "message": getattr(record, "message_id", None),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(
            json.dumps({name: value for name, value in line.items() if value is not None})
        )


class TextFormatter(logging.Formatter):
    """Writes readable lines with shortened ids."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 logging's name
        """Return the line without its traceback."""
        ids = (getattr(record, name, None) for name in ("session", "message_id"))
        known = [f"[{'/'.join(identity[:8] for identity in ids if identity)}]"]
        facts = [f"{name}={value}" for name, value in getattr(record, "facts", {}).items()]
        return " ".join(
            [super().formatMessage(record), *(known if known != ["[]"] else []), *facts]
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the traceback if there is one."""
        return redact(super().format(record))


def redact(text: str) -> str:
    """Replace tokens and passwords, as they occur in URLs and headers, with `***`."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
