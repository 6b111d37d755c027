"""What this deployment stores about people, where, and for how long."""

from dataclasses import dataclass

from django.conf import settings

from chat.store.operation.erasure import ERASURE_MARGIN_S
from chat.store.timing import SOCKET_TIMEOUT_MS


@dataclass(frozen=True)
class Kept:
    """One kind of data. `erased` is what deleting a session does to it."""

    what: str
    where: str
    how_long: str
    erased: str


def kept_data() -> tuple[Kept, ...]:
    """Return all kinds of data, with the times of the current settings."""
    interval_s = settings.AOF_REWRITE_INTERVAL_S
    days = settings.AUDIT_RETENTION_DAYS
    return (
        Kept(
            "Conversation: the visitor's name, messages, replies, ratings and comments",
            "Redis, in memory",
            f"{_words(settings.SESSION_TTL_S)} after the last message",
            "at once, also in the search index",
        ),
        Kept(
            "Snapshots of conversations behind read-only links",
            "Redis, in memory",
            "until the link ends or is revoked, at the latest with the session",
            "at once",
        ),
        Kept(
            "The same in Redis' files",
            "Redis, on disk",
            f"up to {_words(interval_s + ERASURE_MARGIN_S)} longer"
            if interval_s
            else "until Redis rewrites its files",
            "as long after the deletion",
        ),
        Kept(
            "Backups of Redis, if you make any",
            "where you store them",
            "as long as you keep them",
            "no: delete the backups that were made before",
        ),
        Kept(
            "The browser's own copy",
            "the visitor's browser",
            "until the visitor deletes it",
            "no: only the visitor can",
        ),
        Kept(
            "Hashes of network addresses, with numbers of messages and sockets",
            "Redis",
            f"a minute; {_words(SOCKET_TIMEOUT_MS / 1000)} for open sockets",
            "no, but they expire",
        ),
        Kept(
            "Statistics: counts by minute, without sessions",
            "Redis, metric files",
            "two hours in Redis",
            "no: they name no session",
        ),
        Kept(
            "Logs: session ids, addresses of requests to the admin; no names, texts or tokens",
            "where the processes write them",
            "as long as you keep them",
            "no: an id cannot be traced to a visitor once the session is gone",
        ),
        Kept(
            "Traces, if you send any: session ids and durations, no texts",
            "your collector",
            "as long as it keeps them",
            "no, as for logs",
        ),
        Kept(
            "Audit log and history of actions: users of the admin, session ids",
            "SQL database",
            f"{days} days" if days else "forever",
            "no: it proves the deletion",
        ),
        Kept(
            "Users of the admin",
            "SQL database",
            "until you delete the user",
            "no",
        ),
    )


def _words(seconds: float) -> str:
    for unit, length_s in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length_s and seconds % length_s == 0:
            count = round(seconds / length_s)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:,.0f} second{'s' if seconds != 1 else ''}"
