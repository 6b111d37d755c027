"""Shares: read-only snapshots of a session, each with an address of its own.

The address contains a secret of 122 random bits, of which Redis holds only a hash, the share's id.
A snapshot ends with its session or earlier: the scripts that set when a session expires set it for
its snapshots too, and the one that erases a session erases them.
"""

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

from chat.schemas import parse_uuid
from chat.store.client import AsyncStore
from chat.store.command import Arguments, Command, Reply, named
from chat.store.keys import session_keys, share_keys, snapshot_keys
from chat.store.operation.memory import REFUSE_SESSIONS_PERCENT
from chat.store.redis_cluster.buckets import bucket_of
from chat.store.timing import instant, to_ms


class ShareError(Exception):
    """A share that cannot be created or does not exist; `detail` is for the visitor."""

    detail: str


class ShareUnknown(ShareError):
    """The share does not exist, has ended or was revoked."""

    detail = "This link does not exist, has ended or was revoked."


class ShareRefusal(ShareError):
    """No share can be created."""

    reason: Literal["empty", "too_many", "too_large"]


class NothingToShare(ShareRefusal):
    """The session has no messages."""

    reason = "empty"
    detail = "There is nothing to share yet."


class TooManyShares(ShareRefusal):
    """The session has as many shares as one may have."""

    reason = "too_many"
    detail = "This conversation has as many links as it may have. Revoke one first."


class ShareTooLarge(ShareRefusal):
    """The snapshots of the session would have more bytes than they may have together."""

    reason = "too_large"
    detail = "This conversation and its other links are too long to be shared."


@dataclass(frozen=True)
class ShareLimits:
    """Limits of the shares of one session; `per_minute` and `bytes` also apply to one address."""

    per_session: int
    per_minute: int
    bytes: int


@dataclass(frozen=True)
class Share:
    """What is known of a share. `ends` is None if it ends only with its session."""

    id: str
    created: datetime
    ends: datetime | None
    expires_at: datetime
    messages: int
    bytes: int
    is_named: bool


@dataclass(frozen=True)
class SharePart:
    """One of the numbered parts of a snapshot's JSON, and the session that it shows."""

    session: str
    parts: int
    text: str


def new_secret(session: str) -> str:
    """Return the secret of a new share, spelled like a UUID so that logs redact it like a token.

    Of 128 random bits, one value in 64 is kept: its share is in the bucket of the session, whose
    scripts change both.
    """
    bucket = bucket_of(session)
    while True:
        secret = str(UUID(bytes=secrets.token_bytes(16)))
        if bucket_of(share_id(secret)) == bucket:
            return secret


def share_id(secret: str) -> str:
    """Return the id under which a share is stored; raises ShareUnknown if it cannot be one."""
    try:
        parse_uuid(secret)
    except ValueError as error:
        raise ShareUnknown from error
    return sha256(secret.encode()).hexdigest()[:32]


def create(
    session: str,
    share: str,
    lines: list[str],
    *,
    messages: int,
    is_named: bool,
    ttl_s: float | None,
    address: str,
    limits: ShareLimits,
) -> Command[Share]:
    """Store a snapshot, whose JSON is the lines together, once.

    Raises SessionUnknown, TooManyShares, ShareTooLarge, RateLimited and StoreFull.
    """

    def parse(reply: Reply) -> Share:
        match reply.status:
            case "too_many":
                raise TooManyShares
            case "too_large":
                raise ShareTooLarge
        return _share(share, reply["details"], reply["expires_ms"])

    arguments: Arguments = {
        "session": session,
        "share": share,
        "body": "\n".join(lines),
        "details": json.dumps({"messages": messages, "is_named": is_named}),
        "ttl_ms": "" if ttl_s is None else to_ms(ttl_s),
        "max_shares": limits.per_session,
        "max_bytes": limits.bytes,
        "per_minute": limits.per_minute,
        "full_percent": REFUSE_SESSIONS_PERCENT,
    }
    return Command("share", share_keys(session, address), arguments, parse)


def load_all(session: str) -> Command[tuple[Share, ...]]:
    """Load a session's shares that have not ended, oldest first; raises SessionUnknown."""

    def parse(reply: Reply) -> tuple[Share, ...]:
        rows = map(named, reply["shares"])
        found = (_share(row["share"], row["details"], row["expires_ms"]) for row in rows)
        return tuple(sorted(found, key=lambda share: share.created))

    return Command("load_shares", session_keys(session), {}, parse)


def revoke(session: str, share: str) -> Command[None]:
    """Delete a share of this session; raises ShareUnknown if the session has no such share."""

    def parse(reply: Reply) -> None:
        if not reply["existed"]:
            raise ShareUnknown

    return Command("revoke_share", session_keys(session), {"share": share}, parse)


def session_of(share: str) -> Command[str]:
    """Return the session of a share; raises ShareUnknown."""
    return Command(
        "load_snapshot", snapshot_keys(share), {"part": 0}, lambda reply: _part(reply).session
    )


def load_part(share: str, part: int = 1) -> Command[SharePart]:
    """Load a part of a snapshot, counted from 1; raises ShareUnknown."""
    return Command("load_snapshot", snapshot_keys(share), {"part": part}, _part)


async def snapshot_parts(store: AsyncStore, share: str) -> AsyncIterator[str]:
    """Yield the parts of a snapshot; raises ShareUnknown, also if it ends meanwhile."""
    number, last = 1, 1
    while number <= last:
        part = await store.run(load_part(share, number))
        yield part.text
        number, last = number + 1, part.parts


def _part(reply: Reply) -> SharePart:
    if reply.status == "gone":
        raise ShareUnknown
    return SharePart(reply["session"], reply["parts"], reply["text"])


def _share(share: str, details: str, expires_ms: int) -> Share:
    known = json.loads(details)
    return Share(
        id=share,
        created=instant(known["created_ms"]),
        ends=instant(known["ends_ms"]) if "ends_ms" in known else None,
        expires_at=instant(expires_ms),
        messages=known["messages"],
        bytes=known["bytes"],
        is_named=known["is_named"],
    )
