"""The closed list of error codes: the same in the API descriptions, the frames and the metrics.

ChatError
├── SessionUnknown       session.unknown      the session does not exist or has expired
├── SessionFull          session.full         the session can hold no more messages
├── SessionBusy          session.busy         too many messages wait for a reply
├── ReplyInProgress      session.busy         what is to be replaced is still being answered
├── RateLimited          rate.limited         too many requests in a minute
├── TooManySockets       rate.limited         too many open sockets
├── MessageInvalid       message.invalid      the frame or request is not valid
├── MessageEmpty         message.empty        the message has no text
├── MessageTooLong       message.too_long     the message or frame is too long
├── UnknownModel         message.unknown_model  the message is for a model that does not exist
├── QueueUnavailable     queue.unavailable    the broker did not accept the task
├── StoreUnavailable     store.unavailable    Redis does not respond, or is full
└── StoreFull            store.full           Redis is almost full, so no new session is created
"""

from enum import StrEnum
from typing import Literal

# Which limit was reached, where the code alone does not say it.
LimitName = Literal["sockets"]


class ErrorCode(StrEnum):
    """Every code that a client can receive."""

    MESSAGE_EMPTY = "message.empty"
    MESSAGE_TOO_LONG = "message.too_long"
    MESSAGE_INVALID = "message.invalid"
    MESSAGE_UNKNOWN_MODEL = "message.unknown_model"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_FULL = "session.full"
    SESSION_BUSY = "session.busy"
    RATE_LIMITED = "rate.limited"
    QUEUE_UNAVAILABLE = "queue.unavailable"
    STORE_UNAVAILABLE = "store.unavailable"
    STORE_FULL = "store.full"
    MODEL_LOADING = "model.loading"
    MODEL_UNAVAILABLE = "model.unavailable"
    MODEL_TIMEOUT = "model.timeout"
    MODEL_OVERLOADED = "model.overloaded"
    MODEL_UNAUTHORIZED = "model.unauthorized"
    MODEL_REJECTED = "model.rejected"
    MODEL_BAD_REPLY = "model.bad_reply"
    MODEL_NO_ANSWER = "model.no_answer"
    REPLY_DEADLINE = "reply.deadline"
    REPLY_INTERNAL = "reply.internal"


# For authors of clients: the descriptions of the WebSocket API contain these sentences.
MEANINGS = {
    ErrorCode.MESSAGE_EMPTY: "The message has no text. Nothing was stored.",
    ErrorCode.MESSAGE_TOO_LONG: "The message has more characters than `limits.max_message_chars`,"
    " the comment on a rating more than `limits.max_comment_chars`,"
    " or the frame is larger than 64 KiB. Nothing was stored.",
    ErrorCode.MESSAGE_INVALID: "The frame is not one of those described here, or it requests"
    " something that is not possible. Nothing was stored.",
    ErrorCode.MESSAGE_UNKNOWN_MODEL: "The message names a model that is not one of `models` in"
    " `session.ready`. Nothing was stored: choose another one, or none.",
    ErrorCode.SESSION_UNKNOWN: "The session does not exist or has expired. The socket closes with"
    " 1008: create a new session.",
    ErrorCode.SESSION_FULL: "The session can hold no more messages. Nothing was stored: create a"
    " new session.",
    ErrorCode.SESSION_BUSY: "`limits.max_pending` messages are already waiting for a reply, or what"
    " is to be replaced is still being answered. Nothing was stored: send the message again, with"
    " the same id, after the next reply.",
    ErrorCode.RATE_LIMITED: "Too many messages or requests in a minute, or too many open sockets."
    " Nothing was stored: send it again later, a message with the same id.",
    ErrorCode.QUEUE_UNAVAILABLE: "The message is stored, but the task queue is unavailable. The"
    " reply will still arrive: do not send the message again.",
    ErrorCode.STORE_UNAVAILABLE: "The server cannot reach its storage. Send the message again"
    " shortly, with the same id.",
    ErrorCode.STORE_FULL: "The server's storage is almost full, so `POST /token` creates no"
    " session and `POST /share` no link. Existing sessions go on. Try again after"
    " `Retry-After`. Never sent over a WebSocket.",
    ErrorCode.MODEL_LOADING: "The model was still loading at the reply's deadline.",
    ErrorCode.MODEL_UNAVAILABLE: "The model server cannot be reached, or it fails.",
    ErrorCode.MODEL_TIMEOUT: "The model produced no text for too long.",
    ErrorCode.MODEL_OVERLOADED: "The model server is overloaded.",
    ErrorCode.MODEL_UNAUTHORIZED: "The model server rejects the access token. The operator must"
    " correct it.",
    ErrorCode.MODEL_REJECTED: "The model server rejects the request. The operator must"
    " check the settings.",
    ErrorCode.MODEL_BAD_REPLY: "The response of the model server could not be read.",
    ErrorCode.MODEL_NO_ANSWER: "The model reasoned up to its length limit, or stopped after it,"
    " without a reply.",
    ErrorCode.REPLY_DEADLINE: "The reply was not ready before its deadline.",
    ErrorCode.REPLY_INTERNAL: "The server failed three times to produce the reply, because of an"
    " error of its own: requires operator action.",
}


class ChatError(Exception):
    """An error that is sent to a client: a code, and a sentence without secrets."""

    code: ErrorCode
    detail: str
    permanent = True
    limit: LimitName | None = None

    def __init__(self, detail: str | None = None) -> None:
        if detail:
            self.detail = detail
        super().__init__(self.detail)


class SessionUnknown(ChatError):
    """The session does not exist or has expired."""

    code = ErrorCode.SESSION_UNKNOWN
    detail = "Session expired or does not exist"


class SessionFull(ChatError):
    """The session has as many messages, or as many bytes, as one may have."""

    code = ErrorCode.SESSION_FULL
    detail = "This conversation is full. Start a new one."


class SessionBusy(ChatError):
    """Too many messages of the session wait for a reply."""

    code = ErrorCode.SESSION_BUSY
    detail = "Too many messages are waiting for a reply. Send this one again after the next reply."
    permanent = False


class ReplyInProgress(ChatError):
    """A message to be replaced, or a later one, waits for a reply or is being answered."""

    code = ErrorCode.SESSION_BUSY
    detail = "A reply is still in progress. Stop it first, or wait until it is complete."
    permanent = False


class RateLimited(ChatError):
    """Too many requests in a minute."""

    code = ErrorCode.RATE_LIMITED
    detail = "Too many requests"
    permanent = False

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Too many requests. Try again in {retry_after_s} s.")


class TooManySockets(ChatError):
    """The session or the address has too many open sockets."""

    code = ErrorCode.RATE_LIMITED
    detail = "Too many tabs are open. Close one, and this one will reconnect."
    permanent = False
    limit = "sockets"


class MessageInvalid(ChatError):
    """A frame or request that is not valid."""

    code = ErrorCode.MESSAGE_INVALID
    detail = "This frame is not valid."


class MessageEmpty(ChatError):
    """The message contains nothing but white space."""

    code = ErrorCode.MESSAGE_EMPTY
    detail = "The message is empty. Type something first."


class MessageTooLong(ChatError):
    """The message or frame is longer than its limit."""

    code = ErrorCode.MESSAGE_TOO_LONG
    detail = "The message is too long."


class UnknownModel(ChatError):
    """The message is for a model that does not exist."""

    code = ErrorCode.MESSAGE_UNKNOWN_MODEL
    detail = "This model is not available. Choose another one."


class QueueUnavailable(ChatError):
    """The message is stored, but the broker did not accept its task; the sweep retries."""

    code = ErrorCode.QUEUE_UNAVAILABLE
    detail = "Your message is saved. The reply will arrive once the queue is available again."
    permanent = False


class StoreUnavailable(ChatError):
    """Redis did not respond in time, refused the command, or is out of memory."""

    code = ErrorCode.STORE_UNAVAILABLE
    detail = "The server cannot reach its storage right now. Nothing was stored: try again shortly."
    permanent = False


class StoreFull(ChatError):
    """Redis is almost full; what is left of its memory is for existing sessions."""

    code = ErrorCode.STORE_FULL
    detail = "The server has no room for new conversations right now. Try again in a few minutes."
    permanent = False
    retry_after_s = 60
