"""A session: as one command loads it, and as the HTTP API sends it."""

from hashlib import sha256
from uuid import UUID

from pydantic import Field

from chat.schemas.fields import FrozenModel, Timestamp
from chat.schemas.messages import Message, Rating, StoredMessage


class HistoryMessage(Message):
    """A message with its tag in `msg`: `Human: …`, `Bot: …` or `Operator: …`."""

    @classmethod
    def tagged(cls, message: Message) -> "HistoryMessage":
        """Return a message as the HTTP API sends it."""
        tagged = {"msg": f"{message.source.title()}: {message.msg}"}
        return cls.model_validate(message.__dict__ | tagged)


class History(FrozenModel):
    """A session as the HTTP API sends it."""

    token: UUID
    name: str
    session_start: Timestamp
    messages: list[HistoryMessage]


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
