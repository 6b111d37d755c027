"""The frames that the server sends."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from chat.errors import ErrorCode, LimitName
from chat.protocol.frame import MAX_COMMENT_CHARS, Frame
from chat.schemas import FrozenModel, Message, Operator, PartialReply, Rating, Replaced, Timestamp


class SessionLimits(FrozenModel):
    """The limits of a session, so that a client can show them before it reaches one."""

    max_message_chars: int
    max_pending: int = Field(description="How many messages may wait for a reply.")
    messages_per_minute: int
    history_messages: int = Field(description="How many messages are sent to the model at most.")
    session_ttl_s: float = Field(description="Counted from the last message.")
    ping_interval_s: float = Field(description="How often a client may send `session.ping`.")
    human_support: bool = Field(
        default=False, description="Whether visitors can ask for a person with `operator.request`."
    )
    max_comment_chars: int = Field(
        default=MAX_COMMENT_CHARS, description="Of the comment on a rating."
    )


class ModelChoice(FrozenModel):
    """A model that a message can be sent to."""

    name: str = Field(description="For `model` in `message.send`.")
    label: str = Field(description="For the user.")


class SessionReady(Frame):
    """The state of the session: the first frame, and the response to `session.sync`."""

    type: Literal["session.ready"] = "session.ready"
    name: str = Field(description="The visitor's name.")
    session_start: Timestamp
    expires_at: Timestamp
    messages: tuple[Message | Replaced, ...] = Field(
        description="The newest messages after `after`, at most 200 and 64 KiB of them."
    )
    has_earlier: bool = Field(
        description="True if messages after `after` are left out, before the first of `messages`:"
        " discard older ones, and request them with `session.history` when they are needed."
    )
    reply: PartialReply | None = Field(description="The reply in progress, with its text so far.")
    recovered: bool = Field(
        description="False if the client knew messages that the server lost: discard all others."
    )
    limits: SessionLimits
    operator: Operator | None = Field(
        default=None, description="The person who answers instead of the model, if one is there."
    )
    operator_requested: bool = Field(
        default=False, description="Whether the visitor asked for a person and none came yet."
    )
    operator_available: bool = Field(
        default=False, description="Whether any operator waits for requests now."
    )
    ratings_revision: int = Field(
        default=0, description="Increases with every rating: pass it on when you reconnect."
    )
    models: tuple[ModelChoice, ...] = Field(
        default=(),
        description="The models to choose from, the default one first. Empty if there is only one.",
    )


class SessionMessages(Frame):
    """Earlier messages: the response to `session.history`."""

    type: Literal["session.messages"] = "session.messages"
    before: int = Field(description="As requested.")
    messages: tuple[Message | Replaced, ...] = Field(
        description="The newest messages before `before`, at most 200 and 64 KiB of them."
    )
    has_earlier: bool = Field(description="True if the session has messages before these.")


class SessionVersion(Frame):
    """A replaced message and, if it is a question, what followed it: see `version.load`."""

    type: Literal["session.version"] = "session.version"
    id: UUID = Field(description="As requested.")
    messages: tuple[Message | Replaced, ...] = Field(
        description="The message and those that were replaced together with it, with their texts,"
        " at most 200 and 64 KiB of them, oldest first. Those replaced earlier have none."
    )
    has_more: bool = Field(
        description="True if later ones are left out: request the last question among `messages`."
    )


class MessageAccepted(Frame):
    """The message is stored. Every tab of the session receives this.

    One that `replaces` another replaces that one, every later human message and the replies to
    them, unless they are replaced already.
    """

    type: Literal["message.accepted"] = "message.accepted"
    message: Message


class ReplyQueued(Frame):
    """The message waits in the queue.

    Sent after a short delay and then every second or two while the message waits. Sent at once to a
    client that reconnects, and if a reply is to be regenerated. After `reply.started` it means that
    the worker was lost: discard the text received, because the reply starts again.
    """

    type: Literal["reply.queued"] = "reply.queued"
    reply_to: UUID = Field(description="The message that waits.")
    ahead: int = Field(
        ge=0, description="Messages to be answered first, of this and of other sessions."
    )
    eta_s: float | None = Field(description="Estimated wait in seconds, or null if unknown.")
    workers: int = Field(
        ge=0, description="Running workers. With 0, the reply starts only once there is one."
    )


class ReplyStarted(Frame):
    """A worker calls the model. A new `id` for the same message restarts the text."""

    type: Literal["reply.started"] = "reply.started"
    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The id of the reply.")
    operator: str | None = Field(
        default=None, description="The name of the person who writes it; null if it is the model."
    )
    continues: UUID | None = Field(
        default=None,
        description="The id of the reply with whose text it begins, if it does: show that one until"
        " `reply.delta` brings its text again.",
    )


class ReplyThinking(Frame):
    """The model reasons before it replies. The reasoning itself is not sent.

    Sent when it begins and about every second while it lasts; `reply.delta` follows. After text,
    `reply.started` with another `id` precedes it: that text was reasoning, too.
    """

    type: Literal["reply.thinking"] = "reply.thinking"
    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The id of the reply.")


class ReplyDelta(Frame):
    """A piece of the reply's text."""

    type: Literal["reply.delta"] = "reply.delta"
    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The id of the reply.")
    offset: int = Field(ge=0, description="Number of Unicode code points before this piece.")
    text: str


class ReplyCompleted(Frame):
    """The reply is complete and stored.

    With `reply_to` null, it is a message that an operator wrote without one to answer.
    """

    type: Literal["reply.completed"] = "reply.completed"
    message: Message


class ReplyFailed(Frame):
    """The reply failed; `message.error` says why, and whether regenerating it can help."""

    type: Literal["reply.failed"] = "reply.failed"
    message: Message


class ReplyRated(Frame):
    """The rating of a reply is stored. Every tab of the session receives this."""

    type: Literal["reply.rated"] = "reply.rated"
    id: UUID = Field(description="The id of the reply.")
    reply_to: UUID = Field(description="The message it answers.")
    rating: Rating | None = Field(default=None, description="Null if it was revoked.")
    comment: str | None = None
    revision: int = Field(description="The session's new `ratings_revision`.")
    previous: int = Field(default=0, exclude=True)  # the one before it; places it for sockets


class ModelLoading(Frame):
    """The model is loading; the reply follows without another request.

    A client that reconnects meanwhile receives this frame again, with the remaining time.
    """

    type: Literal["model.loading"] = "model.loading"
    reply_to: UUID = Field(description="The message that waits.")
    retry_in_s: float = Field(description="Seconds until the model is called again.")


class SessionExpiring(Frame):
    """The session expires soon. Sent five minutes and one minute before.

    `session.extend` and every message restart the session's time to live.
    """

    type: Literal["session.expiring"] = "session.expiring"
    expires_at: Timestamp


class SessionExpired(Frame):
    """The session has expired; the socket closes."""

    type: Literal["session.expired"] = "session.expired"
    expires_at: Timestamp


class SessionPong(Frame):
    """The server responds: the answer to `session.ping`."""

    type: Literal["session.pong"] = "session.pong"


class OperatorJoined(Frame):
    """A person answers from now on; the model pauses, and with it the deadline of replies.

    Their messages come in the same frames, with `source` and `operator`. Messages that they do not
    answer are answered by the model after `operator.left`.
    """

    type: Literal["operator.joined"] = "operator.joined"
    name: str = Field(description="As the person chose.")
    joined_at: Timestamp


class OperatorLeft(Frame):
    """The model answers again. The deadline of messages that wait counts from now."""

    type: Literal["operator.left"] = "operator.left"
    name: str


class OperatorRequested(Frame):
    """Whether the visitor asks for a person; the request ends when one joins."""

    type: Literal["operator.requested"] = "operator.requested"
    requested: bool
    available: bool = Field(
        description="Whether any operator waits for requests now. A request stays if none does."
    )


class OperatorTyping(Frame):
    """The person is typing. It may be lost; it holds for about five seconds."""

    type: Literal["operator.typing"] = "operator.typing"
    name: str


class Error(Frame):
    """A frame of the client was rejected, or its reply is delayed: see the error codes."""

    type: Literal["error"] = "error"
    code: ErrorCode
    detail: str = Field(description="A sentence for the user.")
    ref: str | None = Field(
        default=None, description="The `id` of the client's frame, if it had one."
    )
    limit: LimitName | None = Field(
        default=None,
        description="What there are too many of, with `rate.limited`: open sockets of the session"
        " or of the address. Null if it is messages or requests.",
    )


ServerFrame = Annotated[
    SessionReady
    | SessionMessages
    | SessionVersion
    | MessageAccepted
    | ReplyQueued
    | ReplyStarted
    | ReplyThinking
    | ReplyDelta
    | ReplyCompleted
    | ReplyFailed
    | ReplyRated
    | ModelLoading
    | SessionExpiring
    | SessionExpired
    | SessionPong
    | OperatorJoined
    | OperatorLeft
    | OperatorRequested
    | OperatorTyping
    | Error,
    Field(discriminator="type"),
]

server_frames: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)


def reply_frame(message: Message) -> ReplyCompleted | ReplyFailed:
    """Return the frame for a stored reply."""
    return ReplyFailed(message=message) if message.error else ReplyCompleted(message=message)


def message_frame(message: Message) -> MessageAccepted | ReplyCompleted | ReplyFailed:
    """Return the frame for a stored message."""
    return MessageAccepted(message=message) if message.source == "human" else reply_frame(message)
