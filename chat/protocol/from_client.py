"""The frames that clients send."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from chat.protocol.frame import Frame
from chat.schemas import ClientUuid, Rating


class MessageSend(Frame):
    """Send a message. Sending the same `id` again never creates a second message."""

    type: Literal["message.send"] = "message.send"
    id: ClientUuid = Field(description="Chosen by the client: lower case with hyphens.")
    msg: str = Field(description="At most `limits.max_message_chars` characters.")
    replaces: ClientUuid | None = Field(
        default=None,
        description="The message that this one edits: a human message that is not replaced. It,"
        " every later one and their replies are then replaced by the new message.",
    )
    model: str | None = Field(
        default=None,
        description="The model that is to reply: a `name` from `models` in `session.ready`. Without"
        " it: the first one.",
    )


class ReplyStop(Frame):
    """Stop a reply and keep the text generated so far.

    Any tab can send it while the reply is generated, while the model loads or while the message
    waits. Every tab then receives `reply.completed` with the `finish_reason` `stop_requested` and
    the number of `pieces` produced. A message that waits behind others keeps its place in the
    queue and gets an empty reply. If the reply is already stored, only this tab receives it again.
    """

    type: Literal["reply.stop"] = "reply.stop"
    reply_to: ClientUuid = Field(description="The message that the reply answers.")


class ReplyRegenerate(Frame):
    """Replace the last reply, or a failed one, with a new one.

    The new reply queues behind the messages that wait. This tab receives `reply.queued`, as does
    every tab if the reply does not start at once. `reply.started` and the other frames follow as
    for any reply, and the new message `replaces` the old one. Sending it again while the reply
    waits or is in progress has no further effect.
    """

    type: Literal["reply.regenerate"] = "reply.regenerate"
    reply_to: ClientUuid = Field(description="The message that the reply answers.")


class ReplyRate(Frame):
    """Rate a reply, change its rating, or revoke it.

    The rating replaces an earlier one with its comment, so the same frame again changes nothing.
    Every tab receives `reply.rated`. A failed reply cannot be rated.
    """

    type: Literal["reply.rate"] = "reply.rate"
    id: ClientUuid = Field(description="The id of the reply.")
    rating: Rating | None = Field(description="Null revokes the rating.")
    comment: str | None = Field(
        default=None, description="At most `limits.max_comment_chars` characters."
    )


class ReplyContinue(Frame):
    """Continue the last reply, if it reached the length limit or was stopped.

    The frames of any reply follow, as after `reply.regenerate`. The text of the new reply begins
    with that of the old one, in a `reply.delta` at offset 0. The new message `replaces` and
    `continues` the old one. If the continuation fails, the old reply stays; if it is stopped, what
    it added is kept.
    """

    type: Literal["reply.continue"] = "reply.continue"
    reply_to: ClientUuid = Field(description="The message that the reply answers.")


class VersionLoad(Frame):
    """Request the text of a replaced message; the server responds with `session.version`."""

    type: Literal["version.load"] = "version.load"
    id: ClientUuid = Field(description="The replaced message.")


class VersionChoose(Frame):
    """Make an earlier version of a question or a reply the current one. Changes nothing twice.

    The server appends a copy of the reply, or of the question and all that followed it. Every tab
    receives them as `message.accepted` and `reply.completed`. The first copy `replaces` the current
    version; each names its original in `version_of`. If the version is current already, this tab
    receives it again. While a reply of the session waits or is in progress, the request is refused
    with `session.busy`.
    """

    type: Literal["version.choose"] = "version.choose"
    id: ClientUuid = Field(description="Chosen by the client for this request.")
    version: ClientUuid = Field(
        description="The replaced message. If a question has copies, the newest one has the"
        " messages that followed it last."
    )


class SessionSync(Frame):
    """Request the messages the client missed; the server responds with `session.ready`."""

    type: Literal["session.sync"] = "session.sync"
    after: int = Field(default=0, ge=0, description="The last `seq` the client knows.")
    ratings_revision: int = Field(
        default=0, ge=0, lt=2**53, description="The last `ratings_revision` the client knows."
    )


class SessionHistory(Frame):
    """Request messages before those the client has; the server responds with `session.messages`."""

    type: Literal["session.history"] = "session.history"
    before: int = Field(ge=1, description="The first `seq` the client knows.")


class SessionExtend(Frame):
    """Restart the session's time to live. Every tab receives `session.ready` with the new end."""

    type: Literal["session.extend"] = "session.extend"


class SessionPing(Frame):
    """Ask whether the server still responds, for clients that cannot send WebSocket pings.

    The server responds with `session.pong`, without looking at the session.
    """

    type: Literal["session.ping"] = "session.ping"


class MessageTyping(Frame):
    """Say that the visitor is typing. It is not stored, and reaches only an operator who is there.

    Send it at most every two seconds, and only while `operator` is set; more are ignored.
    """

    type: Literal["message.typing"] = "message.typing"


class OperatorRequest(Frame):
    """Ask for a person, or withdraw that, if `limits.human_support` is true.

    Every tab receives `operator.requested`. The model goes on answering until `operator.joined`.
    """

    type: Literal["operator.request"] = "operator.request"
    wanted: bool = True


ClientFrame = Annotated[
    MessageSend
    | ReplyStop
    | ReplyRegenerate
    | ReplyRate
    | ReplyContinue
    | VersionLoad
    | VersionChoose
    | SessionSync
    | SessionHistory
    | SessionExtend
    | SessionPing
    | MessageTyping
    | OperatorRequest,
    Field(discriminator="type"),
]

client_frames: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
