"""Session and message: one set of types for HTTP, WebSocket, documents and storage.

In storage a time is a number of milliseconds since 1970 by Redis' clock; everywhere else it is
ISO 8601 in UTC. Pydantic reads both.
"""

import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    WithJsonSchema,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from chat.errors import ErrorCode

FinishReason = Literal["stop", "length", "stop_requested", "answered_together"]
Source = Literal["human", "bot", "operator"]
Rating = Literal["up", "down"]
MAX_TOKENS = 1_000_000_000


def format_timestamp(instant: datetime) -> str:
    """Return ISO 8601 in UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Control characters, line separators, and characters that change the direction of the text around
# them, so that a name could rewrite a line of the admin or of a terminal.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def has_invisible(name: str) -> bool:
    """Return whether a name contains control or direction characters."""
    return _INVISIBLE.search(name) is not None


def show_invisible(name: str) -> str:
    """Return a name with control and direction characters written as escapes such as `\\u202e`."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", name)


def parse_uuid(text: str) -> UUID:
    """Return a UUID in its one spelling: lower case with hyphens. Raises ValueError.

    `UUID` also accepts braces, prefixes and hyphens anywhere, so one token would have many
    spellings, of which a log filter or a cache knows one.
    """
    value = UUID(text)
    if str(value) != text:
        raise ValueError("not in lower case with hyphens")
    return value


def _check_spelling(value: object) -> object:
    if isinstance(value, UUID):
        return value
    try:
        return parse_uuid(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError("uuid_spelling", "a UUID in lower case with hyphens") from None


# Ids are echoed and compared as text, so an id in another spelling would never match.
ClientUuid = Annotated[UUID, BeforeValidator(_check_spelling)]

Timestamp = Annotated[
    datetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class FrozenModel(BaseModel):
    """A frozen value. Unknown fields are ignored, so that stored data may grow."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Failure(FrozenModel):
    """Why a reply failed."""

    code: ErrorCode
    detail: str = Field(description="A sentence for the user.")
    retryable: bool = Field(description="Whether `reply.regenerate` can help.")


def _count_or_none(value: object) -> object:
    return value if isinstance(value, int) and 0 <= value <= MAX_TOKENS else None


# A stored count that is not one must not make the whole session unreadable.
TokenCount = Annotated[int | None, BeforeValidator(_count_or_none)]


class Usage(FrozenModel):
    """Token counts, if the model reports them."""

    prompt_tokens: TokenCount = None
    completion_tokens: TokenCount = None


class Timings(FrozenModel):
    """Milliseconds since the message was accepted."""

    queued_ms: int = Field(description="Until a worker took the message.")
    first_token_ms: int | None = Field(
        default=None, description="Until the first text of the reply."
    )
    total_ms: int = Field(description="Until the reply was complete.")


class SparseModel(FrozenModel):
    """A value whose empty fields are left out when it is sent, but for `always_sent`."""

    always_sent: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None or name in self.always_sent
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the fields, because pydantic cannot see what the serializer returns."""
        fields: Any = {key: value for key, value in core_schema.items() if key != "serialization"}
        schema = handler.resolve_ref_schema(handler(fields))
        if handler.mode == "serialization":
            for name, field in schema["properties"].items():
                if name in cls.always_sent:
                    schema["required"].append(name)
                else:
                    _drop_null(field)
        return schema


def _drop_null(field: dict[str, Any]) -> None:
    options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del field["anyOf"]
        field.pop("default", None)
        field.update(options[0])


class Message(SparseModel):
    """One message of a session. Fields without a value are left out."""

    always_sent = frozenset({"reply_to"})

    id: UUID = Field(
        description="Chosen by the client for a human message, by the server for a reply."
    )
    seq: int = Field(ge=1, description="Counts a session's messages from 1 without gaps.")
    source: Source = Field(
        description="`human`: the visitor. `bot`: the model. `operator`: a person who answers"
        " instead of the model; `reply_to` is null if they wrote without a message to answer."
    )
    operator: str | None = Field(
        default=None, description="For `operator`: the name of the person."
    )
    msg: str = Field(
        description="The text. For a failed reply, the text generated before it failed."
    )
    timestamp: Timestamp = Field(description="When the message was stored.")
    reply_to: UUID | None = Field(default=None, description="For a reply: the message it answers.")
    finish_reason: FinishReason | None = Field(
        default=None,
        description="Why the reply ended: the model or the operator finished, the length limit,"
        " or a stop request. `answered_together`: it is empty, because an operator answered this"
        " message and later ones in one reply.",
    )
    pieces: int | None = Field(
        default=None, description="Number of pieces of text that the model produced."
    )
    usage: Usage | None = None
    timings: Timings | None = None
    error: Failure | None = Field(default=None, description="Set if the reply failed.")
    model: str | None = Field(
        default=None,
        description="If there are several models: the one that the client chose for a human"
        " message, or the one that wrote a reply.",
    )
    replaces: UUID | None = Field(
        default=None,
        description="For a reply: the reply that it replaces. For a human message: the one that it"
        " edits, which it replaces together with all later ones and their replies.",
    )
    replaced_by: UUID | None = Field(
        default=None,
        description="The message that replaced this one. In a reply that failed or was stopped"
        " while it was to replace a good one: the good one, which stays.",
    )
    rating: Rating | None = Field(default=None, description="What the visitor thinks of a reply.")
    comment: str | None = Field(default=None, description="The visitor's comment on the rating.")
    version_of: UUID | None = Field(
        default=None,
        description="For a copy that `version.choose` made: the original, never a copy itself.",
    )
    continues: UUID | None = Field(
        default=None,
        description="For a reply after `reply.continue`: the one with whose text it begins.",
    )

    @property
    def original(self) -> UUID:
        """The id of the message of which this one is a copy, or its own."""
        return self.version_of or self.id


class Replaced(SparseModel):
    """A message that another one replaces; its text is sent only after `version.load`."""

    id: UUID
    seq: int = Field(ge=1)
    source: Source
    replaced_by: UUID
    replaces: UUID | None = Field(
        default=None, description="The message that it had replaced itself."
    )
    reply_to: UUID | None = Field(default=None, description="For a reply: the message it answers.")
    version_of: UUID | None = Field(default=None, description="The original, if it is a copy.")
    continues: UUID | None = Field(default=None, description="The reply with whose text it begins.")
    failed: Literal[True] | None = Field(
        default=None,
        description="Set if it is no version to choose: a reply that failed, has no text, or was"
        " stopped while it was to replace a good one.",
    )


class Record(FrozenModel):
    """Details of a reply for operators only."""

    attempts: int
    worker: str
    model: str
    user: str | None = Field(default=None, description="The operator who wrote it.")
    endpoint: str | None = None


class StoredMessage(Message):
    """A message as it is stored in the document."""

    record: Record | None = None
    trace: str | None = Field(
        default=None, description="For a human message: the trace of its frame."
    )
    discarded: bool = Field(
        default=False, description="The reply that this one should have replaced was kept."
    )

    @property
    def is_version(self) -> bool:
        """Whether it can be chosen after it was replaced."""
        is_usable = bool(self.msg) and not (self.error or self.discarded)
        return self.source == "human" or is_usable

    def for_client(self) -> Message | Replaced:
        """Return the message as clients receive it."""
        if self.replaced_by:
            return Replaced(
                id=self.id,
                seq=self.seq,
                source=self.source,
                replaced_by=self.replaced_by,
                replaces=self.replaces,
                reply_to=self.reply_to,
                version_of=self.version_of,
                continues=self.continues,
                failed=None if self.is_version else True,
            )
        return self.public()

    def public(self) -> Message:
        """Return the message without the fields for operators."""
        return Message.model_construct(
            **{name: getattr(self, name) for name in Message.model_fields}
        )


class HistoryMessage(Message):
    """A message with its tag in `msg`: `Human: …`, `Bot: …` or `Operator: …`."""

    @classmethod
    def tagged(cls, message: Message) -> "HistoryMessage":
        """Return a message as the HTTP API sends it."""
        values = {name: getattr(message, name) for name in Message.model_fields}
        return cls.model_construct(**values | {"msg": f"{message.source.title()}: {message.msg}"})


class History(FrozenModel):
    """A session as the HTTP API sends it."""

    token: UUID
    name: str
    session_start: Timestamp
    messages: list[HistoryMessage]


class NewReply(FrozenModel):
    """A reply before it is stored; the document assigns `seq` and `timestamp`."""

    id: UUID
    source: Literal["bot", "operator"] = "bot"
    operator: str | None = None
    msg: str
    reply_to: UUID
    finish_reason: FinishReason | None
    pieces: int
    usage: Usage | None
    timings: Timings
    error: Failure | None
    replaces: UUID | None
    continues: UUID | None = None
    model: str | None = None
    record: Record


stored_messages = TypeAdapter(list[StoredMessage])


class PartialReply(FrozenModel):
    """The reply in progress, with its text so far."""

    reply_to: UUID = Field(description="The message it answers.")
    id: UUID = Field(description="The id of the reply.")
    text: str
    operator: str | None = Field(
        default=None, description="The name of the person who writes it; null if it is the model."
    )
    continues: UUID | None = Field(
        default=None, description="The id of the reply with whose text it begins, if it does."
    )


class ChangedRating(FrozenModel):
    """The rating of a stored reply; without one, it was revoked."""

    id: UUID
    reply_to: UUID
    rating: Rating | None = None
    comment: str | None = None
    revision: int


class QueueState(FrozenModel):
    """The work ahead of a session's next reply."""

    ahead: int = Field(default=0, description="Waiting sessions ahead of this one.")
    waiting: int = Field(default=0, description="Sessions that wait for a worker.")
    in_progress: int = Field(default=0, description="Sessions with a reply in progress.")
    workers: int = Field(default=0, description="Workers with a recent heartbeat.")
    mean_reply_s: float | None = Field(default=None, description="Mean duration of recent replies.")
    elapsed_s: float = Field(
        default=0,
        description="Since a worker took this session; if it waits, since any was taken or done.",
    )


class Operator(FrozenModel):
    """The person who answers instead of the model."""

    name: str = Field(description="As the person chose.")
    joined_at: Timestamp


class StoredOperator(Operator):
    """The person with their name in the admin, which clients do not receive."""

    user: str

    def public(self) -> Operator:
        """Return what clients receive."""
        return Operator(name=self.name, joined_at=self.joined_at)


class Session(FrozenModel):
    """A session at one moment, loaded by one command."""

    id: str
    name: str
    session_start: Timestamp
    expires_at: Timestamp
    remaining_s: float = Field(description="Seconds until `expires_at`, by Redis' clock.")
    messages: tuple[StoredMessage, ...] = Field(description="One page of the messages requested.")
    is_truncated: bool = Field(
        default=False, description="More messages were requested than the page contains."
    )
    last_seq: int = Field(description="Of all messages of the session.")
    ratings_revision: int = Field(default=0, description="Of the last rating; 0 without any.")
    ratings: tuple[ChangedRating, ...] = Field(
        default=(), description="Changed since the revision requested, of messages up to `after`."
    )
    is_restarted: bool = Field(
        default=False, description="Too many ratings changed: `after` counts as 0."
    )
    pending: tuple[UUID, ...] = Field(description="Messages not answered yet, oldest first.")
    partial_reply: PartialReply | None = None
    retry_in_s: float = Field(default=0, description="Until a loading model is called again.")
    queue: QueueState = QueueState()
    operator: StoredOperator | None = None
    operator_requested: bool = False
    operators_on_duty: int = 0
    recovered: bool = True


def session_id(token: str) -> str:
    """Return the id under which a token's session is stored; the token itself never is."""
    return sha256(token.encode()).hexdigest()[:32]
