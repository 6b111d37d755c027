"""A message: as clients receive it, as it is stored, and as the HTTP API sends it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, TypeAdapter

from chat.errors import ErrorCode
from chat.schemas.fields import FrozenModel, SparseModel, Timestamp

FinishReason = Literal["stop", "length", "stop_requested", "answered_together"]
Source = Literal["human", "bot", "operator"]
Rating = Literal["up", "down"]
MAX_TOKENS = 1_000_000_000


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
        # Validating is three times as fast as `model_construct`, which is written in Python.
        return Message.model_validate(self.__dict__)


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
