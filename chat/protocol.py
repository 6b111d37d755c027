"""The frames of chat.v1 in both directions, and the parser for the frames of clients.

Every frame is a JSON object with a dotted `type`. The server validates and sends frames with these
types, and the documents of the WebSocket API are generated from them.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from chat.errors import ErrorCode, LimitName, MessageEmpty, MessageInvalid, MessageTooLong
from chat.schemas import (
    ClientUuid,
    FrozenModel,
    Message,
    Operator,
    PartialReply,
    Rating,
    Replaced,
    Timestamp,
)

SUBPROTOCOL = "chat.v1"
MAX_FRAME_BYTES = 64 * 1024
MAX_COMMENT_CHARS = 1000


class Frame(BaseModel):
    """One JSON object on the socket."""

    model_config = ConfigDict(
        frozen=True, hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )

    type: str


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

client_frames: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
server_frames: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)


def reply_frame(message: Message) -> ReplyCompleted | ReplyFailed:
    """Return the frame for a stored reply."""
    return ReplyFailed(message=message) if message.error else ReplyCompleted(message=message)


def message_frame(message: Message) -> MessageAccepted | ReplyCompleted | ReplyFailed:
    """Return the frame for a stored message."""
    return MessageAccepted(message=message) if message.source == "human" else reply_frame(message)


def check_size(text: str) -> None:
    """Raise MessageTooLong for a frame above MAX_FRAME_BYTES, before anything parses it."""
    if len(text) > MAX_FRAME_BYTES or len(text.encode()) > MAX_FRAME_BYTES:
        raise MessageTooLong("The frame is too long. At most 64 KiB are allowed.")


def check_comment(text: str) -> None:
    """Raise MessageTooLong if `text` cannot be a comment on a rating."""
    if len(text) > MAX_COMMENT_CHARS:
        raise MessageTooLong(
            f"The comment has {len(text)} characters; at most {MAX_COMMENT_CHARS} are allowed."
        )


def check_message(text: str, max_chars: int) -> None:
    """Raise MessageEmpty or MessageTooLong if `text` cannot be a message."""
    if not text.strip():
        raise MessageEmpty
    if len(text) > max_chars:
        raise MessageTooLong(
            f"The message has {len(text)} characters; at most {max_chars} are allowed."
        )


def parse_frame(text: str) -> ClientFrame:
    """Return the client frame in `text`; raises MessageInvalid with the frame's id in `ref`."""
    try:
        value = from_json(text)
    except (ValueError, TypeError) as error:  # TypeError: text that is not Unicode
        raise InvalidFrame("The frame is not valid JSON.") from error
    ref = frame_id(value)
    try:
        return client_frames.validate_python(value)
    except ValidationError as error:
        raise InvalidFrame(_what_is_wrong(error), ref) from error


class InvalidFrame(MessageInvalid):
    """A frame that is not valid; `ref` is its id, if it has one."""

    def __init__(self, detail: str, ref: str | None = None) -> None:
        super().__init__(detail)
        self.ref = ref


def id_of(frame: ClientFrame) -> str | None:
    """Return a frame's id, if its type has one."""
    match frame:
        case MessageSend(id=id_) | ReplyRate(id=id_) | VersionLoad(id=id_) | VersionChoose(id=id_):
            return str(id_)
        case _:
            return None


def frame_id(value: Any) -> str | None:
    """Return the id of a client's frame, if it is short enough to be sent back."""
    reference = value.get("id") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) and len(reference) <= 64 else None


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"].startswith("union_tag"):
        return "The frame has no known type."
    if first["type"].startswith(("model_attributes", "dict_type", "model_type")):
        return "A frame must be a JSON object with a type."
    field = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "uuid_spelling":
        return f"The field {field} must be {first['msg']}."
    return f"The field {field} is missing or not valid."
