"""What the exceptions of `requests` and urllib3 mean to us."""

from http.client import HTTPException, RemoteDisconnected
from typing import Final

from requests import exceptions as lib
from urllib3 import exceptions as wire

from inference.model_errors import (
    ModelBadReply,
    ModelError,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
)

MEANINGS: Final[dict[type[Exception], type[ModelError]]] = {
    lib.RequestException: ModelUnavailable,
    lib.ConnectionError: ModelUnavailable,
    lib.ProxyError: ModelUnavailable,
    lib.SSLError: ModelUnavailable,
    lib.RetryError: ModelUnavailable,
    lib.Timeout: ModelTimeout,
    lib.ConnectTimeout: ModelTimeout,
    lib.ReadTimeout: ModelTimeout,
    lib.HTTPError: ModelRejected,
    lib.TooManyRedirects: ModelRejected,
    lib.URLRequired: ModelRejected,
    lib.MissingSchema: ModelRejected,
    lib.InvalidSchema: ModelRejected,
    lib.InvalidURL: ModelRejected,
    lib.InvalidProxyURL: ModelRejected,
    lib.InvalidHeader: ModelRejected,
    lib.UnrewindableBodyError: ModelRejected,
    lib.InvalidJSONError: ModelBadReply,
    lib.JSONDecodeError: ModelBadReply,
    lib.ChunkedEncodingError: ModelBadReply,
    lib.ContentDecodingError: ModelBadReply,
    lib.StreamConsumedError: ModelBadReply,
    wire.TimeoutError: ModelTimeout,
    wire.ReadTimeoutError: ModelTimeout,
    wire.LocationValueError: ModelRejected,
    wire.DecodeError: ModelBadReply,
    wire.IncompleteRead: ModelBadReply,
    wire.InvalidChunkLength: ModelBadReply,
    wire.HTTPError: ModelUnavailable,
}


def as_model_error(error: Exception) -> ModelError:
    """Say what an exception of `requests` or urllib3 means; its nearest known class decides."""
    cause = protocol_cause(error)
    if isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected):
        return ModelBadReply()
    known = next(kind for kind in type(error).__mro__ if kind in MEANINGS)
    return MEANINGS[known]()


def protocol_cause(error: Exception) -> object:
    """Return what urllib3 wrapped in its ProtocolError, and requests perhaps once more."""
    if isinstance(error, lib.ConnectionError) and error.args:
        error = error.args[0]
    is_wrapper = isinstance(error, wire.ProtocolError) and len(error.args) > 1
    return error.args[1] if is_wrapper else None
