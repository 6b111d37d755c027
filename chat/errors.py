"""The closed list of error codes: the same names in the documents, the frames and the metrics.

ChatError
├── SessionUnknown       session.unknown      no such session, or its time is over
├── SessionBusy          session.busy         too many messages wait for an answer
├── RateLimited          rate.limited         too much in too short a time
├── MessageInvalid       message.invalid      the frame cannot be understood
├── MessageEmpty         message.empty        there is nothing in it
├── MessageTooLong       message.too_long     there is too much in it
├── QueueUnavailable     queue.unavailable    the broker did not take the task
└── StoreUnavailable     store.unavailable    Redis did not answer, or is full
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every code a client can meet."""

    MESSAGE_EMPTY = "message.empty"
    MESSAGE_TOO_LONG = "message.too_long"
    MESSAGE_INVALID = "message.invalid"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_BUSY = "session.busy"
    RATE_LIMITED = "rate.limited"
    QUEUE_UNAVAILABLE = "queue.unavailable"
    STORE_UNAVAILABLE = "store.unavailable"
    MODEL_LOADING = "model.loading"
    MODEL_UNAVAILABLE = "model.unavailable"
    MODEL_TIMEOUT = "model.timeout"
    MODEL_OVERLOADED = "model.overloaded"
    MODEL_UNAUTHORIZED = "model.unauthorized"
    MODEL_REJECTED = "model.rejected"
    MODEL_BAD_REPLY = "model.bad_reply"
    REPLY_DEADLINE = "reply.deadline"


# What a client should know of each code; the documents show these sentences.
MEANINGS = {
    ErrorCode.MESSAGE_EMPTY: "There is nothing in the message. Nothing was stored.",
    ErrorCode.MESSAGE_TOO_LONG: "The message has more characters than `limits.max_message_chars`,"
    " or the frame more than 64 KiB. Nothing was stored.",
    ErrorCode.MESSAGE_INVALID: "The frame is not one of those described here, or what it asks for"
    " cannot be done. Nothing was stored.",
    ErrorCode.SESSION_UNKNOWN: "No such session, or its time is over. The socket closes with 1008:"
    " begin a new session.",
    ErrorCode.SESSION_BUSY: "`limits.max_pending` messages wait for an answer already. Nothing was"
    " stored: send it again, with the same id, after the next reply.",
    ErrorCode.RATE_LIMITED: "Too many messages within a minute, or too many open sockets. Nothing"
    " was stored: send it again later, with the same id.",
    ErrorCode.QUEUE_UNAVAILABLE: "The message is stored, but no worker could be told at once. The"
    " reply comes by itself: do not send it again.",
    ErrorCode.STORE_UNAVAILABLE: "The server cannot reach its storage. Send it again shortly, with"
    " the same id.",
    ErrorCode.MODEL_LOADING: "The model was still loading when the reply's time was over.",
    ErrorCode.MODEL_UNAVAILABLE: "The model's server cannot be reached, or fails.",
    ErrorCode.MODEL_TIMEOUT: "The model said nothing for too long.",
    ErrorCode.MODEL_OVERLOADED: "The model's server has too much to do.",
    ErrorCode.MODEL_UNAUTHORIZED: "The model's server wants another access token: the operator's"
    " to repair.",
    ErrorCode.MODEL_REJECTED: "The model's server refuses the request: the operator's to repair.",
    ErrorCode.MODEL_BAD_REPLY: "What the model's server answered cannot be understood.",
    ErrorCode.REPLY_DEADLINE: "The reply was not ready in time.",
}


class ChatError(Exception):
    """What a person or client is told: a code and a sentence that holds no secret."""

    code: ErrorCode
    detail: str
    permanent = True

    def __init__(self, detail: str | None = None) -> None:
        if detail:
            self.detail = detail
        super().__init__(self.detail)


class SessionUnknown(ChatError):
    """The token names no session, or the session's time is over."""

    code = ErrorCode.SESSION_UNKNOWN
    detail = "Session expired or does not exist"


class SessionBusy(ChatError):
    """The session's mailbox is full."""

    code = ErrorCode.SESSION_BUSY
    detail = (
        "Too many of your messages wait for an answer. Send this one again after the next reply."
    )
    permanent = False


class RateLimited(ChatError):
    """More was asked for than the limit of a minute allows."""

    code = ErrorCode.RATE_LIMITED
    detail = "Too many requests"
    permanent = False

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"That was too fast. Try again in {retry_after_s} s.")


class TooManySockets(ChatError):
    """The session or the address has as many open sockets as it may."""

    code = ErrorCode.RATE_LIMITED
    detail = "Too many windows are open on this chat. Close one; this one then comes back."
    permanent = False


class MessageInvalid(ChatError):
    """A frame that is not what the protocol describes."""

    code = ErrorCode.MESSAGE_INVALID
    detail = "This frame cannot be understood."


class MessageEmpty(ChatError):
    """A message of white space only."""

    code = ErrorCode.MESSAGE_EMPTY
    detail = "The message is empty. Type something first."


class MessageTooLong(ChatError):
    """A message or frame above its limit."""

    code = ErrorCode.MESSAGE_TOO_LONG
    detail = "The message is too long."


class QueueUnavailable(ChatError):
    """The message is stored, but the broker did not take its task; the sweep will."""

    code = ErrorCode.QUEUE_UNAVAILABLE
    detail = "Your message is saved. The answer comes as soon as the queue is back."
    permanent = False


class StoreUnavailable(ChatError):
    """Redis did not answer in time, refused, or is out of memory."""

    code = ErrorCode.STORE_UNAVAILABLE
    detail = (
        "The chat cannot reach its memory right now. Nothing was stored: send it again shortly."
    )
    permanent = False
