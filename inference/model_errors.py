"""What can go wrong with a model, as one small tree.

ModelError
├── ModelLoading        model.loading
├── ModelUnavailable    model.unavailable
├── ModelTimeout        model.timeout
├── ModelOverloaded     model.overloaded
├── ModelUnauthorized   model.unauthorized   (permanent)
├── ModelRejected       model.rejected       (permanent)
└── ModelBadReply       model.bad_reply
GenerationCancelled     is not an error: somebody asked for it
"""

from typing import ClassVar

__all__ = [
    "GenerationCancelled",
    "ModelBadReply",
    "ModelError",
    "ModelLoading",
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

    `code` is from the closed list of the protocol, `detail` a fixed sentence that is safe to show
    to anybody, `permanent` says that asking again cannot help. `retry_after_s` is the server's
    own wish, where it gave one.
    """

    code: ClassVar[str]
    detail: ClassVar[str]
    permanent: ClassVar[bool] = False

    def __init__(self, *, retry_after_s: float | None = None) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class ModelLoading(ModelError):
    """The server is up and is still loading the model; it said how long that takes, or not."""

    code = "model.loading"
    detail = "The model is still loading."

    def __init__(
        self, *, estimated_time_s: float | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(retry_after_s=retry_after_s)
        self.estimated_time_s = estimated_time_s


class ModelUnavailable(ModelError):
    """The server refused or reset the connection, or reports a fault of its own (5xx)."""

    code = "model.unavailable"
    detail = "The model cannot be reached at the moment."


class ModelTimeout(ModelError):
    """The server was silent for too long, or the call as a whole took too long."""

    code = "model.timeout"
    detail = "The model took too long to answer."


class ModelOverloaded(ModelError):
    """The server turned the request away because it has too many (429, `overloaded`)."""

    code = "model.overloaded"
    detail = "The model has too much to do at the moment."


class ModelUnauthorized(ModelError):
    """The server did not accept the access token (401, 403)."""

    code = "model.unauthorized"
    detail = "The model refused this server's access token."
    permanent = True


class ModelRejected(ModelError):
    """The server says that the request itself is wrong (other 4xx), or wants to redirect it."""

    code = "model.rejected"
    detail = "The model did not accept the request."
    permanent = True


class ModelBadReply(ModelError):
    """The answer is not JSON or events, is truncated, empty or far too long."""

    code = "model.bad_reply"
    detail = "The model gave a reply that could not be read."
