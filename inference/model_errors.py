"""The errors of a model, as one tree.

ModelError
├── ModelLoading        model.loading
├── ModelUnavailable    model.unavailable
├── ModelTimeout        model.timeout
├── ModelOverloaded     model.overloaded
├── ModelUnauthorized   model.unauthorized   (permanent)
├── ModelRejected       model.rejected       (permanent)
├── ModelBadReply       model.bad_reply
└── ModelNoAnswer       model.no_answer
GenerationCancelled     not an error: the caller cancelled
"""

from typing import ClassVar

__all__ = [
    "GenerationCancelled",
    "ModelBadReply",
    "ModelError",
    "ModelLoading",
    "ModelNoAnswer",
    "ModelOverloaded",
    "ModelRejected",
    "ModelTimeout",
    "ModelUnauthorized",
    "ModelUnavailable",
]


class GenerationCancelled(Exception):
    """Raised in the reading thread after another thread has called `Generation.cancel`."""


class ModelError(Exception):
    """A model did not give a reply.

    `code` is from the closed list of the protocol, `detail` a fixed sentence that is safe to
    show to users, `permanent` is true if a retry cannot succeed. `retry_after_s` is the server's
    `Retry-After`, if it sent one. `reason` is for the operator: the HTTP status and the server's
    name for the error, such as `404 NotFoundError`, and never a text.
    """

    code: ClassVar[str]
    detail: ClassVar[str]
    permanent: ClassVar[bool] = False

    def __init__(self, *, retry_after_s: float | None = None) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
        self.reason = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class ModelLoading(ModelError):
    """The server is still loading the model; it may estimate how long that takes."""

    code = "model.loading"
    detail = "The model is still loading."

    def __init__(
        self, *, estimated_time_s: float | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(retry_after_s=retry_after_s)
        self.estimated_time_s = estimated_time_s


class ModelUnavailable(ModelError):
    """The server refused or reset the connection, or responded with 5xx."""

    code = "model.unavailable"
    detail = "The model can't be reached."


class ModelTimeout(ModelError):
    """The server sent nothing for too long."""

    code = "model.timeout"
    detail = "The model took too long to respond."


class ModelOverloaded(ModelError):
    """The server has too many requests (429, `overloaded`)."""

    code = "model.overloaded"
    detail = "The model is busy."


class ModelUnauthorized(ModelError):
    """The server did not accept the access token (401, 403)."""

    code = "model.unauthorized"
    detail = "The model isn't configured correctly. Please tell the site's operator."
    permanent = True


class ModelRejected(ModelError):
    """The server rejects the request itself (other 4xx) or redirects it."""

    code = "model.rejected"
    detail = "The model did not accept the request."
    permanent = True


class ModelBadReply(ModelError):
    """The response is neither JSON nor events, or it is truncated, empty or too long."""

    code = "model.bad_reply"
    detail = "The reply couldn't be read."


class ModelNoAnswer(ModelError):
    """The model only reasoned: up to its token limit, or it ended without a reply."""

    code = "model.no_answer"
    detail = "The model thought about this, but gave no answer."
