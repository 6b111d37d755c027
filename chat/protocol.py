"""The frames of chat.v1, in and out, and how a client's text becomes one.

Every frame is a JSON object with a dotted `type`. These types are what the server validates with,
what it sends, and what the WebSocket documents are generated from.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from chat.errors import ErrorCode, MessageEmpty, MessageInvalid, MessageTooLong
from chat.schemas import FrozenModel, Message, PartialReply, Replaced, Timestamp

SUBPROTOCOL = "chat.v1"
MAX_FRAME_BYTES = 64 * 1024


class Frame(BaseModel):
    """One JSON object on the socket."""

    model_config = ConfigDict(
        frozen=True, hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )

    type: str


class MessageSend(Frame):
    """Say something. The same `id` again is the same message, never a second one."""

    type: Literal["message.send"] = "message.send"
    id: UUID = Field(description="Chosen by the client.")
    msg: str = Field(description="At most `limits.max_message_chars` characters.")


class ReplyStop(Frame):
    """Stop writing; what is written so far is kept.

    From any tab and at any moment: while it is written, while the model loads, while it waits.
    The answer, to every tab, is the message's `reply.completed` with `finish_reason`
    `stop_requested` and the `pieces` produced. A message behind others keeps its turn, and its
    empty reply comes then. For a reply that was stored already, this tab is told it again.
    """

    type: Literal["reply.stop"] = "reply.stop"
    reply_to: UUID = Field(description="The message whose reply is meant.")


class ReplyRegenerate(Frame):
    """Replace the last reply, or a failed one, by a new one.

    The new reply takes its turn behind the messages that wait. This tab, and every tab where it
    is not begun at once, is told `reply.queued`, then `reply.started` and all else as for any
    reply; the new message `replaces` the old one. Asking again while it waits or is written is the
    same ask.
    """

    type: Literal["reply.regenerate"] = "reply.regenerate"
    reply_to: UUID = Field(description="The message whose reply is meant.")


class SessionSync(Frame):
    """Send what I missed, in a `session.ready`."""

    type: Literal["session.sync"] = "session.sync"
    after: int = Field(default=0, ge=0, description="The last `seq` the client knows.")


class SessionExtend(Frame):
    """Start the session's time again. Every tab is told `session.ready` with the new end."""

    type: Literal["session.extend"] = "session.extend"


ClientFrame = Annotated[
    MessageSend | ReplyStop | ReplyRegenerate | SessionSync | SessionExtend,
    Field(discriminator="type"),
]


class SessionLimits(FrozenModel):
    """What the session may use, for a client to show before it is refused."""

    max_message_chars: int
    max_pending: int = Field(description="How many messages may wait for an answer.")
    messages_per_minute: int
    history_messages: int = Field(description="How many messages the model sees.")
    session_ttl_s: float = Field(description="Counted from the last message.")


class SessionReady(Frame):
    """The session as the document has it: the first frame, and the answer to `session.sync`."""

    type: Literal["session.ready"] = "session.ready"
    name: str = Field(description="The visitor's.")
    session_start: Timestamp
    expires_at: Timestamp
    messages: tuple[Message | Replaced, ...] = Field(
        description="All, or those after `after` where that tells all that changed."
    )
    reply: PartialReply | None = Field(
        description="The reply being written now, with its text so far."
    )
    recovered: bool = Field(
        description="False: the client knew more than the document; this is the whole history."
    )
    limits: SessionLimits


class MessageAccepted(Frame):
    """The message is stored. Every tab of the session gets this."""

    type: Literal["message.accepted"] = "message.accepted"
    message: Message


class ReplyQueued(Frame):
    """The message waits for its turn.

    Sent while it waits, first after a short moment, then every second or two; at once to a client
    that comes back, and where a reply is to be written again. After `reply.started`
    it means that the worker was lost: drop that text, the reply starts again.
    """

    type: Literal["reply.queued"] = "reply.queued"
    reply_to: UUID = Field(description="The message that waits.")
    ahead: int = Field(ge=0, description="Messages answered before it: older ones, other chats'.")
    eta_s: float | None = Field(description="Estimated wait, where there is anything to go by.")


class ReplyStarted(Frame):
    """A worker asks the model. A new `id` for the same message starts the text again."""

    type: Literal["reply.started"] = "reply.started"
    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The reply's own, from now on.")


class ReplyDelta(Frame):
    """A piece of the reply."""

    type: Literal["reply.delta"] = "reply.delta"
    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The reply's own.")
    offset: int = Field(ge=0, description="Unicode code points before it.")
    text: str


class ReplyCompleted(Frame):
    """The reply is whole and stored."""

    type: Literal["reply.completed"] = "reply.completed"
    message: Message


class ReplyFailed(Frame):
    """There is no reply; `message.error` says why and whether to try again."""

    type: Literal["reply.failed"] = "reply.failed"
    message: Message


class ModelLoading(Frame):
    """The model is starting; the reply comes without asking again.

    A client that comes back while it starts is told again, with what is left.
    """

    type: Literal["model.loading"] = "model.loading"
    reply_to: UUID = Field(description="The message that waits.")
    retry_in_s: float = Field(description="Seconds until the model is asked again.")


class SessionExpiring(Frame):
    """The session ends soon: told five minutes and one minute before.

    `session.extend` and every message start its time again.
    """

    type: Literal["session.expiring"] = "session.expiring"
    expires_at: Timestamp


class SessionExpired(Frame):
    """The session is over; the socket closes."""

    type: Literal["session.expired"] = "session.expired"
    expires_at: Timestamp


class Error(Frame):
    """A frame of the client was refused; nothing of it was stored."""

    type: Literal["error"] = "error"
    code: ErrorCode
    detail: str = Field(description="One sentence for the person.")
    ref: str | None = Field(default=None, description="The client frame's `id`, where it had one.")


ServerFrame = Annotated[
    SessionReady
    | MessageAccepted
    | ReplyQueued
    | ReplyStarted
    | ReplyDelta
    | ReplyCompleted
    | ReplyFailed
    | ModelLoading
    | SessionExpiring
    | SessionExpired
    | Error,
    Field(discriminator="type"),
]

client_frames: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
server_frames: TypeAdapter[ServerFrame] = TypeAdapter(ServerFrame)


def reply_frame(message: Message) -> ReplyCompleted | ReplyFailed:
    """Return the frame that tells of a stored reply."""
    return ReplyFailed(message=message) if message.error else ReplyCompleted(message=message)


def check_size(text: str) -> None:
    """Refuse a frame above MAX_FRAME_BYTES before anything reads it; raises MessageTooLong."""
    if len(text) > MAX_FRAME_BYTES or len(text.encode()) > MAX_FRAME_BYTES:
        raise MessageTooLong("The frame is too long. At most 64 KiB are read.")


def check_message(text: str, max_chars: int) -> None:
    """Refuse what cannot be a message; raises MessageEmpty or MessageTooLong."""
    if not text.strip():
        raise MessageEmpty
    if len(text) > max_chars:
        raise MessageTooLong(
            f"The message has {len(text)} characters; at most {max_chars} are read. Shorten it."
        )


def parse_frame(text: str) -> ClientFrame:
    """Return the client frame in `text`; raises MessageInvalid with the frame's id in `ref`."""
    try:
        value = from_json(text)
    except (ValueError, TypeError) as error:  # TypeError: text that is not Unicode
        raise InvalidFrame("The frame is not JSON.") from error
    ref = frame_id(value)
    try:
        return client_frames.validate_python(value)
    except ValidationError as error:
        raise InvalidFrame(_what_is_wrong(error), ref) from error


class InvalidFrame(MessageInvalid):
    """A frame that parses to nothing we know; `ref` is its id, where it had one."""

    def __init__(self, detail: str, ref: str | None = None) -> None:
        super().__init__(detail)
        self.ref = ref


def frame_id(value: Any) -> str | None:
    """Return a client frame's own id, if it is one an answer can repeat."""
    reference = value.get("id") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) and len(reference) <= 64 else None


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"].startswith("union_tag"):
        return "The frame has no type that this server knows."
    if first["type"].startswith(("model_attributes", "dict_type", "model_type")):
        return "A frame is a JSON object with a type."
    field = ".".join(str(part) for part in first["loc"][1:])
    return f"The field {field} is missing or not what it should be."
