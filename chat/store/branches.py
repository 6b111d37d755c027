"""Commands about versions of questions and replies: load a replaced one, make it current again."""

from dataclasses import dataclass
from uuid import UUID

from chat.schemas import StoredMessage
from chat.store.command import Arguments, Command, Reply
from chat.store.keys import message_keys, session_keys
from chat.store.sessions import Limits, limit_arguments


@dataclass(frozen=True)
class Branch:
    """Where a replaced message is, and those that were replaced with it, by `replaced_by`.

    They have a seq from `first` to `last`; messages that were replaced earlier or later are between
    them.
    """

    first: int
    last: int
    replaced_by: UUID


@dataclass(frozen=True)
class Chosen:
    """The message that is current now; `new` is false if it was before."""

    message: StoredMessage
    new: bool


def find(session: str, version: UUID) -> Command[Branch]:
    """Find a replaced message; raises SessionUnknown, MessageInvalid if there is none."""

    def parse(reply: Reply) -> Branch:
        return Branch(reply["first"], reply["last"], UUID(reply["replaced_by"]))

    arguments: Arguments = {"version": str(version)}
    return Command("find_version", session_keys(session), arguments, parse)


def choose(
    session: str, request: UUID, version: UUID, *, address: str, limits: Limits
) -> Command[Chosen]:
    """Make a replaced reply or question current again, by copies of it and of what followed it.

    The id of a copy is `uuid5(request, id of the copied message)`. Raises SessionUnknown,
    SessionFull, RateLimited, ReplyInProgress, and MessageInvalid if it is no version of a message
    that is current.
    """

    def parse(reply: Reply) -> Chosen:
        stored = StoredMessage.model_validate_json(reply["message"])
        return Chosen(stored, new=bool(reply["new"]))

    arguments = limit_arguments(session, limits) | {
        "request": str(request),
        "version": str(version),
    }
    return Command("choose", message_keys(session, address), arguments, parse)
