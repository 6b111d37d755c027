"""The exception tree, and the mapping of the HTTP libraries' exceptions."""

import http.client
import inspect
import pickle

import pytest
import requests.exceptions
import urllib3.exceptions

from inference.model_errors import ModelError
from inference.transport import as_model_error

KINDS = ModelError.__subclasses__()


def test_every_model_error_code_has_one_class() -> None:
    assert sorted(kind.code for kind in KINDS) == [
        "model.bad_reply",
        "model.loading",
        "model.no_answer",
        "model.overloaded",
        "model.rejected",
        "model.timeout",
        "model.unauthorized",
        "model.unavailable",
    ]


def test_only_rejected_requests_are_permanent() -> None:
    permanent = {kind.code for kind in KINDS if kind.permanent}
    assert permanent == {"model.unauthorized", "model.rejected"}


def test_every_exception_of_requests_is_mapped() -> None:
    codes: dict[str, set[str]] = {}
    for name, kind in inspect.getmembers(requests.exceptions, inspect.isclass):
        if issubclass(kind, requests.exceptions.RequestException):
            error = kind("x", "x", 0) if name == "JSONDecodeError" else kind()
            codes.setdefault(as_model_error(error).code, set()).add(name)
    assert codes == {
        "model.unavailable": {
            "ConnectionError",
            "ProxyError",
            "RequestException",
            "RetryError",
            "SSLError",
        },
        "model.timeout": {"ConnectTimeout", "ReadTimeout", "Timeout"},
        "model.rejected": {
            "HTTPError",
            "InvalidHeader",
            "InvalidProxyURL",
            "InvalidSchema",
            "InvalidURL",
            "MissingSchema",
            "TooManyRedirects",
            "URLRequired",
            "UnrewindableBodyError",
        },
        "model.bad_reply": {
            "ChunkedEncodingError",
            "ContentDecodingError",
            "InvalidJSONError",
            "JSONDecodeError",
            "StreamConsumedError",
        },
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (requests.exceptions.ConnectionError("refused"), "model.unavailable"),
        (requests.exceptions.ConnectTimeout(), "model.timeout"),
        (requests.exceptions.ReadTimeout(), "model.timeout"),
        (requests.exceptions.InvalidURL(), "model.rejected"),
        (urllib3.exceptions.LocationParseError("x"), "model.rejected"),
        (urllib3.exceptions.DecodeError(), "model.bad_reply"),
        (urllib3.exceptions.SSLError("x"), "model.unavailable"),
        (
            urllib3.exceptions.ProtocolError("x", http.client.IncompleteRead(b"")),
            "model.bad_reply",
        ),
        (urllib3.exceptions.ProtocolError("x", ConnectionResetError()), "model.unavailable"),
        (
            requests.exceptions.ConnectionError(
                urllib3.exceptions.ProtocolError("x", http.client.BadStatusLine("hello"))
            ),
            "model.bad_reply",
        ),
        (
            requests.exceptions.ConnectionError(
                urllib3.exceptions.ProtocolError("x", http.client.RemoteDisconnected("x"))
            ),
            "model.unavailable",
        ),
    ],
)
def test_library_exceptions_are_mapped_to_model_errors(error: Exception, code: str) -> None:
    assert as_model_error(error).code == code


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_be_pickled(kind: type[ModelError]) -> None:
    error = pickle.loads(pickle.dumps(kind(retry_after_s=3.0)))  # noqa: S301
    assert (error.code, error.retry_after_s) == (kind.code, 3.0)
    assert str(error) == f"{kind.code}: {kind.detail}"
