"""The frames of an operator's socket besides those of chat.v1, which it receives as well.

They are for the admin's own pages, so they are no part of the public WebSocket API.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json

from chat.protocol import Frame, InvalidFrame, ReplyStop
from chat.schemas import ClientUuid, FrozenModel, Timestamp, has_invisible

MAX_NAME_CHARS = 60


def _check_name(name: str) -> str:
    if has_invisible(name):
        raise ValueError("control characters")
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_check_name),
]


class OperatorJoin(Frame):
    """Answer this session under a name that the visitor sees.

    `claim` is an id that the page chose; the same one joins again after a lost connection, with
    `resume` only if the claim still lives. `replace` ends the claim of another operator.
    """

    type: Literal["operator.join"] = "operator.join"
    claim: ClientUuid
    name: Name
    replace: bool = False
    resume: bool = False


class OperatorLeave(Frame):
    """Give the session back to the model."""

    type: Literal["operator.leave"] = "operator.leave"


class OperatorWrite(Frame):
    """Show the visitor the text so far of the answer `id`, while it is written."""

    type: Literal["operator.write"] = "operator.write"
    id: ClientUuid
    reply_to: ClientUuid
    msg: str


class OperatorAnswer(Frame):
    """Answer a message, and the older ones that wait; or write without one. Once for each `id`."""

    type: Literal["operator.answer"] = "operator.answer"
    id: ClientUuid
    reply_to: ClientUuid | None = None
    msg: str


class OperatorTypes(Frame):
    """Let the visitor know that the operator is typing."""

    type: Literal["operator.types"] = "operator.types"


class OperatorPong(Frame):
    """The page is alive: the answer to `operator.ping`."""

    type: Literal["operator.pong"] = "operator.pong"


OperatorFrame = Annotated[
    OperatorJoin
    | OperatorLeave
    | OperatorWrite
    | OperatorAnswer
    | OperatorTypes
    | OperatorPong
    | ReplyStop,
    Field(discriminator="type"),
]
_operator_frames: TypeAdapter[OperatorFrame] = TypeAdapter(OperatorFrame)


class OperatorPing(Frame):
    """The page must answer with `operator.pong`, or its claim ends."""

    type: Literal["operator.ping"] = "operator.ping"


class OperatorClaim(Frame):
    """Who answers: this page (`mine`), another operator, or the model (null)."""

    type: Literal["operator.claim"] = "operator.claim"
    mine: bool
    name: str | None = None
    user: str | None = None
    joined_at: Timestamp | None = None


Refusal = Literal["claimed", "not_joined", "not_permitted", "model_writes"]


class OperatorRefused(Frame):
    """A frame was refused, although it is valid."""

    type: Literal["operator.refused"] = "operator.refused"
    reason: Refusal
    detail: str
    ref: str | None = None


class RequestRow(FrozenModel):
    """A visitor who asks for a person."""

    session: str
    name: str
    requested_at: Timestamp


class OperatorRequests(Frame):
    """Everybody who asks for a person, the longest waiting first."""

    type: Literal["operator.requests"] = "operator.requests"
    requests: tuple[RequestRow, ...]


def claim_frame(
    mine: bool, name: str | None = None, user: str | None = None, joined_at: datetime | None = None
) -> OperatorClaim:
    """Return who answers."""
    return OperatorClaim(mine=mine, name=name, user=user, joined_at=joined_at)


def parse_operator_frame(text: str) -> OperatorFrame:
    """Return the frame in an operator's text; raises InvalidFrame."""
    try:
        return _operator_frames.validate_python(from_json(text))
    except (ValidationError, ValueError, TypeError) as error:
        raise InvalidFrame("The frame is not valid.") from error
