"""Ratings of replies by visitors, stored with the message."""

from dataclasses import dataclass
from uuid import UUID

from chat.schemas import Rating
from chat.store.command import Arguments, Command, Reply
from chat.store.keys import message_keys
from chat.store.sessions import Limits


@dataclass(frozen=True)
class StoredRating:
    """The revision of a rating and the one before it; `new` is false if it changed nothing."""

    reply_to: UUID
    revision: int
    previous: int
    new: bool


def rate(
    session: str,
    reply: UUID,
    rating: Rating | None,
    comment: str = "",
    *,
    address: str,
    limits: Limits,
) -> Command[StoredRating]:
    """Rate a reply, or revoke its rating with None.

    Raises SessionUnknown, SessionFull, RateLimited, and MessageInvalid if there is no such reply or
    it failed.
    """

    def parse(stored: Reply) -> StoredRating:
        return StoredRating(
            reply_to=UUID(stored["reply_to"]),
            revision=stored["revision"],
            previous=stored["previous"],
            new=bool(stored["new"]),
        )

    arguments: Arguments = {
        "reply": str(reply),
        "rating": rating or "",
        "comment": comment if rating else "",
        "per_minute": limits.messages_per_minute,
        "per_minute_per_ip": limits.messages_per_minute_per_ip,
        "max_bytes": limits.session_bytes,
    }
    return Command("rate", message_keys(session, address), arguments, parse)
