"""Send HTTP POST requests and stream their responses; no other module sends HTTP.

Exceptions of `requests` and urllib3 are translated to `ModelError` here.
"""

import copy
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException, RemoteDisconnected
from itertools import islice
from types import TracebackType
from typing import Final, Self

import requests
import urllib3
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from inference.cancellable_http import Call, CancellableAdapter, current_call
from inference.model_errors import (
    ModelBadReply,
    ModelError,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
)

_tracer = trace.get_tracer("inference")
_propagator = TraceContextTextMapPropagator()

CONNECT_TIMEOUT_S: Final = 10.0
READ_BYTES: Final = 65_536
# The first match counts; `requests` derives its URL and header errors from ValueError.
TRANSLATIONS: Final = (
    (
        (
            requests_errors.InvalidJSONError,
            requests_errors.ChunkedEncodingError,
            requests_errors.ContentDecodingError,
            requests_errors.StreamConsumedError,
            urllib3_errors.DecodeError,
            urllib3_errors.IncompleteRead,
            urllib3_errors.InvalidChunkLength,
        ),
        ModelBadReply,
    ),
    ((requests_errors.Timeout, urllib3_errors.TimeoutError), ModelTimeout),
    (
        (
            ValueError,
            requests_errors.HTTPError,
            requests_errors.TooManyRedirects,
            requests_errors.URLRequired,
            requests_errors.UnrewindableBodyError,
        ),
        ModelRejected,
    ),
)


class ModelResponse:
    """A server's HTTP response: the status at once, the body as it arrives."""

    def __init__(self, response: requests.Response, call: Call, max_bytes: int) -> None:
        self.status = response.status_code
        self.retry_after = response.headers.get("Retry-After")
        self._response = response
        self._raw: urllib3.BaseHTTPResponse = response.raw
        self._call = call
        self._bytes_left = max_bytes
        self._read_until_s = float("inf")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's bytes as they arrive; raises ModelBadReply if there are too many."""
        while chunk := self._read():
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                raise ModelBadReply
            yield chunk

    def has_more(self) -> bool:
        """Return whether more of the body is already received."""
        return self._call.has_more()

    def limit_rest(self, timeout_s: float) -> None:
        """Read the rest of the body for at most this long, then drop it."""
        self._read_until_s = time.monotonic() + timeout_s
        if self._call.socket is not None:
            self._call.socket.settimeout(timeout_s)

    def _read(self) -> bytes:
        self._call.check()
        if time.monotonic() > self._read_until_s:
            return b""
        try:
            # `iter_content` waits for a full buffer, or with None for the whole body, see
            # https://github.com/psf/requests/issues/5536. `read1` returns what is received so far.
            chunk = self._raw.read1(READ_BYTES, decode_content=True)
        except urllib3_errors.HTTPError as error:
            self._call.check()
            raise as_model_error(error) from error
        self._call.check()
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A connection is already in the pool if its response was read to the end; others close.
        self._response.close()


class Transport:
    """Posts JSON to one URL over pooled connections.

    It uses the adapter without a `requests.Session`: a session would follow redirects, keep
    cookies and read proxies and passwords (`.netrc`) from the environment. `ca_file` contains the
    certificate authorities of the server and of an https:// `proxy`, instead of Mozilla's.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout_s: float,
        max_connections: int,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        proxy: str | None = None,
    ) -> None:
        self._timeouts_s = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._verify = ca_file or True
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._max_bytes = max_bytes
        self._adapter = CancellableAdapter(pool_connections=1, pool_maxsize=max_connections)
        self._template = _template(url, token, headers or {})

    def post(
        self, payload: Mapping[str, object], call: Call, request_id: str | None
    ) -> ModelResponse:
        """Send `payload` and return when the response's headers are received.

        Raises ModelError or GenerationCancelled. The caller detaches `call` in any case.
        """
        request = copy.copy(self._template)
        request.body = json.dumps(payload, separators=(",", ":")).encode()
        request.headers = self._template.headers.copy()
        request.headers["Content-Length"] = str(len(request.body))
        if request_id:
            request.headers["X-Request-ID"] = request_id
        token = current_call.set(call)
        try:
            # Without a session, OpenTelemetry's instrumentation of `requests` sees no request.
            with _tracer.start_as_current_span("POST", kind=SpanKind.CLIENT) as span:
                _propagator.inject(request.headers)
                response = self._adapter.send(
                    request,
                    stream=True,
                    timeout=self._timeouts_s,
                    verify=self._verify,
                    proxies=self._proxies,
                )
                span.set_attribute("http.response.status_code", response.status_code)
        except (OSError, urllib3_errors.HTTPError) as error:
            # `requests` raises its own errors, which are OSErrors, and plain ones about `ca_file`.
            call.check()
            raise as_model_error(error) from error
        finally:
            current_call.reset(token)
        return ModelResponse(response, call, self._max_bytes)

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()


def as_model_error(error: Exception) -> ModelError:
    """Translate an exception of `requests` or urllib3; `reason` says why no connection was made."""
    translated = _translate(error)
    translated.reason = next(filter(None, map(_reason, islice(_causes(error), 10))), "")
    return translated


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, then what caused it; urllib3 has some causes only as arguments."""
    while error is not None:
        yield error
        argument = next((each for each in error.args if isinstance(each, BaseException)), None)
        error = error.__cause__ or error.__context__ or argument


def _reason(error: BaseException) -> str:
    """Return why no connection was made, in OpenSSL's or the operating system's words."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"TLS: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS: {reason}"
    # The only way in which http.client reports the proxy's status.
    if refused := re.match(r"Tunnel connection failed: (\d{3})", str(error)):
        return f"proxy: {refused[1]}"
    return error.strerror or "" if isinstance(error, OSError) else ""


def _translate(error: Exception) -> ModelError:
    cause = _wrapped_cause(error)
    if isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected):
        return ModelBadReply()
    matches = (to() for kinds, to in TRANSLATIONS if isinstance(error, kinds))
    return next(matches, ModelUnavailable())


def _wrapped_cause(error: Exception) -> object:
    """Return the cause in urllib3's ProtocolError, which `requests` may have wrapped again."""
    if isinstance(error, requests_errors.ConnectionError) and error.args:
        error = error.args[0]
    is_wrapper = isinstance(error, urllib3_errors.ProtocolError) and len(error.args) > 1
    return error.args[1] if is_wrapper else None


def _template(
    url: str, token: str | None, own_headers: Mapping[str, str]
) -> requests.PreparedRequest:
    """Prepare a request without a body once, because preparing takes longer than sending."""
    headers = {
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if token:
        headers["Authorization"] = f"Bearer {token}"
    headers |= own_headers
    unusable = ValueError("The model's address or access token cannot be sent")
    if not url.lower().startswith(("http://", "https://")):
        raise unusable
    try:
        return requests.Request("POST", url, headers=headers).prepare()
    except requests.RequestException:
        # The library's message would contain the token or a header.
        raise unusable from None
