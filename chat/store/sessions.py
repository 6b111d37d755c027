"""Commands of visitors: create, load, extend and erase a session; send, stop and regenerate."""

import json
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from chat.schemas import (
    ChangedRating,
    PartialReply,
    Session,
    StoredMessage,
    StoredOperator,
    stored_messages,
)
from chat.store.command import Arguments, Command, Reply, no_value
from chat.store.keys import (
    creation_keys,
    loading_keys,
    message_keys,
    session_keys,
    socket_keys,
)
from chat.store.operation.memory import REFUSE_SESSIONS_PERCENT
from chat.store.queue import QUEUE_TIMES, queue_state
from chat.store.timing import (
    DUTY_TIMEOUT_MS,
    GRACE_MS,
    SOCKET_TIMEOUT_MS,
    instant,
    to_ms,
)


@dataclass(frozen=True)
class Limits:
    """Limits of one session or address."""

    ttl_s: float
    pending: int
    messages_per_minute: int
    messages_per_minute_per_ip: int
    bytes_per_minute_per_ip: int
    session_messages: int
    session_bytes: int
    tokens_per_minute_per_ip: int
    sockets_per_session: int
    sockets_per_ip: int


@dataclass(frozen=True)
class Accepted:
    """A stored message; `new` is false if its id was stored before.

    `sockets` counts open ones, with that of an operator who answers. `waiting` counts the sessions
    that wait for a worker.
    """

    message: StoredMessage
    new: bool
    sockets: int
    waiting: int = 0


@dataclass(frozen=True)
class Stopped:
    """A reply stored before the stop, or by it (`new`), and how many messages still wait."""

    message: StoredMessage
    new: bool
    pending: int


class PageEnd(StrEnum):
    """Which end of a range of messages a page contains."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True)
class Page:
    """Limits of a page of messages. It contains at least one message, unless `messages` is 0.

    `bytes` counts messages as they are stored, with times as numbers. With 60 KiB, no page that is
    sent to clients has more than 64.
    """

    messages: int = 200
    bytes: int = 60 * 1024
    end: PageEnd = PageEnd.NEWEST


NEWEST_PAGE = Page()
OLDEST_PAGE = Page(end=PageEnd.OLDEST)
NO_MESSAGES = Page(messages=0)
END = 2**31  # more messages or bytes than a session can have
ALL_MESSAGES = Page(END, END)
MAX_CHANGED_RATINGS = 200
changed_ratings = TypeAdapter(tuple[ChangedRating, ...])


def create(session: str, name: str, *, address: str, limits: Limits) -> Command[Session]:
    """Create a session.

    Raises RateLimited if the address created too many, and StoreFull if Redis is almost full.
    """

    def parse(reply: Reply) -> Session:
        return Session(
            id=session,
            name=name,
            session_start=instant(reply["created_ms"]),
            expires_at=instant(reply["expires_ms"]),
            remaining_s=limits.ttl_s,
            messages=(),
            last_seq=0,
            pending=(),
        )

    arguments: Arguments = {
        "body": json.dumps({"id": session, "name": name, "messages": []}),
        "ttl_ms": to_ms(limits.ttl_s),
        "per_minute": limits.tokens_per_minute_per_ip,
        "full_percent": REFUSE_SESSIONS_PERCENT,
    }
    return Command("create", creation_keys(session, address), arguments, parse)


def accept(
    session: str,
    message: UUID,
    text: str,
    *,
    address: str,
    limits: Limits,
    model: str | None = None,
    trace: str | None = None,
    replaces: UUID | None = None,
) -> Command[Accepted]:
    """Store a human's message once, for one `model`; it may edit the earlier one it `replaces`.

    Raises SessionUnknown, SessionFull, SessionBusy, RateLimited, and MessageInvalid if there is
    no message to edit.
    """

    def parse(reply: Reply) -> Accepted:
        stored = StoredMessage.model_validate_json(reply["message"])
        return Accepted(stored, bool(reply["new"]), reply["sockets"], reply["waiting"])

    body = {"id": str(message), "source": "human", "msg": text, "reply_to": None}
    body |= {"replaces": str(replaces)} if replaces else {}
    body |= {"model": model} if model else {}
    body |= {"trace": trace} if trace else {}
    arguments = limit_arguments(session, limits) | {
        "message": str(message),
        "body": json.dumps(body),
        "max_pending": limits.pending,
        "grace_ms": GRACE_MS,
        "replaces": str(replaces or ""),
    }
    return Command("accept", message_keys(session, address), arguments, parse)


def load(
    session: str,
    after: int = 0,
    *,
    before: int = END,
    known: UUID | None = None,
    rated: int | None = None,
    page: Page = NEWEST_PAGE,
) -> Command[Session]:
    """Load a session at one moment, with a page of its messages; raises SessionUnknown.

    The page is one of the messages with a seq between `after` and `before`, both excluded.
    `known` is the id that the caller has for the message `after`. If the document has another one
    there, or fewer messages, `after` counts as 0 and `recovered` is false.

    `rated` is the `ratings_revision` that the caller knows: `ratings` are those changed after it.
    If the document's is lower, `recovered` is false, too.
    """

    def parse(reply: Reply) -> Session:
        head = json.loads(reply["head"])
        pending = tuple(UUID(message) for message in reply["pending"])
        partial_reply = None
        if reply["reply"]:
            partial_reply = PartialReply(
                reply_to=pending[0],
                id=UUID(reply["reply"]),
                text=reply["text"],
                operator=reply["operator_name"] if reply["is_operators"] else None,
                continues=reply["continues"] or None,
            )
        return Session(
            id=session,
            name=head["$.name"][0],
            session_start=head["$.session_start"][0],
            expires_at=instant(reply["expires_ms"]),
            remaining_s=reply["remaining_ms"] / 1000,
            messages=tuple(stored_messages.validate_json(reply["messages"])),
            is_truncated=bool(reply["is_truncated"]),
            last_seq=reply["last_seq"],
            recovered=bool(reply["recovered"]),
            ratings_revision=reply["ratings_revision"],
            ratings=changed_ratings.validate_json(reply["ratings"]),
            is_restarted=bool(reply["is_restarted"]),
            pending=pending,
            partial_reply=partial_reply,
            retry_in_s=reply["retry_in_ms"] / 1000,
            queue=queue_state(reply, reply["ahead"]),
            operator=_operator(reply),
            operator_requested=bool(reply["operator_requested"]),
            operators_on_duty=reply["operators_on_duty"],
        )

    arguments: Arguments = {
        "session": session,
        "after": min(after, END),
        "before": min(before, END),
        "known": str(known or ""),
        "rated": "" if rated is None else rated,
        "max_ratings": MAX_CHANGED_RATINGS,
        "page_messages": page.messages,
        "page_bytes": page.bytes,
        "page_end": page.end,
        "duty_timeout_ms": DUTY_TIMEOUT_MS,
        **QUEUE_TIMES,
    }
    return Command("load", loading_keys(session), arguments, parse)


def _operator(reply: Reply) -> StoredOperator | None:
    if not reply["operator_name"]:
        return None
    return StoredOperator(
        name=reply["operator_name"],
        user=reply["operator_user"],
        joined_at=instant(reply["operator_joined_ms"]),
    )


def stop(session: str, message: UUID, *, ttl_s: float) -> Command[Stopped | None]:
    """Request a stop of a reply; None if a worker will stop it, now or when its turn comes.

    If the message is next and no worker holds it, the outcome is stored at once.
    Raises SessionUnknown, and MessageInvalid if there is no such message.
    """

    def parse(reply: Reply) -> Stopped | None:
        if reply.status == "stopping":
            return None
        stored = StoredMessage.model_validate_json(reply["message"])
        return Stopped(stored, new=bool(reply["new"]), pending=reply["pending"])

    arguments: Arguments = {
        "session": session,
        "message": str(message),
        "reply": str(uuid4()),
        "ttl_ms": to_ms(ttl_s),
        "grace_ms": GRACE_MS,
    }
    return Command("stop", session_keys(session), arguments, parse)


def regenerate(
    session: str, message: UUID, *, address: str, limits: Limits, is_continued: bool = False
) -> Command[None]:
    """Request another reply in place of the last one, or of a failed one.

    With `is_continued`, the reply that was cut off is continued, if it is the last one.
    Raises SessionUnknown, SessionFull, SessionBusy, RateLimited, and MessageInvalid if there is no
    such reply.
    """
    arguments = limit_arguments(session, limits) | {
        "message": str(message),
        "max_pending": limits.pending,
        "grace_ms": GRACE_MS,
        "is_continued": int(is_continued),
    }
    return Command("regenerate", message_keys(session, address), arguments, no_value)


def limit_arguments(session: str, limits: Limits) -> Arguments:
    """Return a session's limits as arguments of a script that adds messages to it."""
    return {
        "session": session,
        "ttl_ms": to_ms(limits.ttl_s),
        "max_messages": limits.session_messages,
        "max_bytes": limits.session_bytes,
        "per_minute": limits.messages_per_minute,
        "per_minute_per_ip": limits.messages_per_minute_per_ip,
        "bytes_per_minute_per_ip": limits.bytes_per_minute_per_ip,
    }


def extend(session: str, ttl_s: float) -> Command[None]:
    """Restart the session's time to live; raises SessionUnknown."""
    return Command("extend", session_keys(session), {"ttl_ms": to_ms(ttl_s)}, no_value)


def erase(session: str) -> Command[bool]:
    """Delete a session and all its keys; returns False if it does not exist."""
    keys = session_keys(session)
    return Command("erase", keys, {"session": session}, lambda reply: bool(reply["existed"]))


def register_socket(session: str, socket: str, *, address: str, limits: Limits) -> Command[None]:
    """Register an open socket. It counts until it is removed or no longer renewed.

    Raises SessionUnknown, and TooManySockets if the session or the address has too many.
    """
    arguments: Arguments = {
        "socket": socket,
        "per_session": limits.sockets_per_session,
        "per_address": limits.sockets_per_ip,
        "timeout_ms": SOCKET_TIMEOUT_MS,
    }
    return Command("register_socket", socket_keys(session, address), arguments, no_value)


def unregister_socket(session: str, socket: str, *, address: str) -> Command[None]:
    """Remove a closed socket."""
    keys = socket_keys(session, address)
    return Command("unregister_socket", keys, {"socket": socket}, no_value)
