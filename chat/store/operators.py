"""Commands of operators who answer instead of the model, and of visitors who ask for one.

A claim says that an operator answers a session. While it lives, workers get no lease on the session
and the sweep does not enqueue it. It lives CLAIM_MS longer with each heartbeat of the operator's
page. The operator writes with the worker's commands (`leases`), for which the claim's lease is the
only one that the session accepts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat.schemas import StoredMessage, show_invisible
from chat.store.command import (
    Arguments,
    Command,
    Reply,
    joined,
    merge_nothing,
    named,
    no_value,
)
from chat.store.keys import cluster_keys, listing_keys, session_keys
from chat.store.leases import LEASE_MS
from chat.store.sessions import Limits
from chat.store.timing import CLAIM_MS, DUTY_TIMEOUT_MS, instant, to_ms

MAX_REQUESTS = 200


@dataclass(frozen=True)
class Claimed:
    """Who answers the session already: `name` is for visitors, `user` for operators."""

    name: str
    user: str
    joined_at: datetime


@dataclass(frozen=True)
class ClaimStatus:
    """The claim is renewed, or has just ended because the operator is idle."""

    is_idle: bool
    stop_requested: bool


@dataclass(frozen=True)
class Left:
    """Whether a claim ended, and how many messages the model has to answer."""

    left: bool
    pending: int


@dataclass(frozen=True)
class Said:
    """A stored message; `new` is false if its id was stored before."""

    message: StoredMessage
    new: bool


@dataclass(frozen=True)
class SupportState:
    """Whether a visitor has asked for a person, and how many operators can be asked."""

    requested: bool
    on_duty: int


@dataclass(frozen=True)
class Request:
    """A visitor who asks for a person."""

    session: str
    name: str
    requested_at: datetime


def join(
    session: str, lease: str, name: str, user: str, *, replace: bool = False, resume: bool = False
) -> Command[Claimed | None]:
    """Claim a session; return the operator who has it already, None if the claim was made.

    `replace` ends the other operator's claim. `resume` only renews a claim that still lives, and
    raises NotJoined otherwise. Raises SessionUnknown.
    """

    def parse(reply: Reply) -> Claimed | None:
        if reply.status == "ok":
            return None
        return Claimed(reply["name"], reply["user"], instant(reply["joined_ms"]))

    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "name": name,
        "user": user,
        "replace": int(replace),
        "resume": int(resume),
        "claim_ms": CLAIM_MS,
    }
    return Command("join", session_keys(session), arguments, parse)


def renew_claim(
    session: str, lease: str, *, is_active: bool, idle_s: float
) -> Command[ClaimStatus]:
    """Renew a claim and the lease on the reply that the operator writes.

    If a message waits and the operator was not active for `idle_s`, the claim ends. Raises
    NotJoined or SessionUnknown.
    """
    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "is_active": int(is_active),
        "idle_ms": to_ms(idle_s),
        "claim_ms": CLAIM_MS,
        "lease_ms": LEASE_MS,
    }
    return Command("renew_claim", session_keys(session), arguments, _claim_status)


def _claim_status(reply: Reply) -> ClaimStatus:
    return ClaimStatus(bool(reply["is_idle"]), bool(reply["stop_requested"]))


def leave(session: str, lease: str) -> Command[Left]:
    """End a claim."""
    arguments: Arguments = {"session": session, "lease": lease}
    return Command("leave", session_keys(session), arguments, _left)


def end_claim(session: str) -> Command[Left]:
    """End a claim without heartbeats."""
    return Command("end_claim", session_keys(session), {"session": session}, _left)


def _left(reply: Reply) -> Left:
    return Left(bool(reply["left"]), reply["pending"])


def say(
    session: str, lease: str, message: UUID, text: str, *, name: str, user: str, limits: Limits
) -> Command[Said]:
    """Store once a message that an operator writes although none waits.

    Raises NotJoined, SessionUnknown or SessionFull.
    """
    body = {
        "id": str(message),
        "source": "operator",
        "operator": name,
        "msg": text,
        "reply_to": None,
        "record": {"attempts": 1, "worker": "", "model": "", "user": user},
    }
    arguments: Arguments = {
        "session": session,
        "lease": lease,
        "message": str(message),
        "body": json.dumps(body),
        "ttl_ms": to_ms(limits.ttl_s),
        "max_messages": limits.session_messages,
        "max_bytes": limits.session_bytes,
    }
    return Command("say", session_keys(session), arguments, _said)


def _said(reply: Reply) -> Said:
    return Said(StoredMessage.model_validate_json(reply["message"]), new=bool(reply["new"]))


def request(session: str, *, wanted: bool) -> Command[SupportState]:
    """Ask for a person, or withdraw that; raises SessionUnknown."""
    arguments: Arguments = {
        "session": session,
        "is_wanted": int(wanted),
        "duty_timeout_ms": DUTY_TIMEOUT_MS,
    }

    def parse(reply: Reply) -> SupportState:
        return SupportState(bool(reply["requested"]), reply["operators_on_duty"])

    return Command("request_operator", session_keys(session), arguments, parse)


def requests() -> Command[tuple[Request, ...]]:
    """List the visitors who ask for a person, the longest waiting first, up to MAX_REQUESTS."""

    def parse(reply: Reply) -> tuple[Request, ...]:
        return tuple(
            Request(
                row["session"],
                show_invisible(json.loads(row["name"])[0]),
                instant(row["requested_ms"]),
            )
            for row in map(named, reply["requests"])
        )

    def merge(found: Sequence[tuple[Request, ...]]) -> tuple[Request, ...]:
        in_order = sorted(joined(found), key=lambda request: request.requested_at)
        return tuple(in_order[:MAX_REQUESTS])

    return Command("load_requests", listing_keys(), {"most": MAX_REQUESTS}, parse, merge)


def ended_claims() -> Command[tuple[str, ...]]:
    """Find the sessions whose operators' heartbeats have ended."""

    def parse(reply: Reply) -> tuple[str, ...]:
        return tuple(reply["sessions"])

    arguments: Arguments = {"most": MAX_REQUESTS, "duty_timeout_ms": DUTY_TIMEOUT_MS}
    keys = listing_keys()
    return Command("find_ended_claims", keys, arguments, parse, joined, is_partial=True)


def stay_on_duty(socket: str, *, is_over: bool = False) -> Command[None]:
    """Record that the operator at a socket can be asked to step in, or no longer can."""
    arguments: Arguments = {"socket": socket, "is_over": int(is_over)}
    # Every bucket has them all: a session's scripts tell visitors whether there are any.
    keys = cluster_keys()
    return Command("stay_on_duty", keys, arguments, no_value, merge_nothing, is_partial=True)
