"""The one place that speaks HTTP: a POST whose answer can be read as it arrives.

Everything that `requests` and urllib3 raise becomes a `ModelError` here, see `library_errors`.
"""

import copy
import json
import time
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Final, Self

import requests
import urllib3
from requests import exceptions as lib
from urllib3 import exceptions as wire

from inference.call import Call
from inference.interruptible_http import Exchange, InterruptibleAdapter
from inference.library_errors import as_model_error, protocol_cause
from inference.model_errors import ModelBadReply

CONNECT_TIMEOUT_S: Final = 10.0
READ_BYTES: Final = 65_536


class Answer:
    """A server's answer: its status at once, its body while it arrives."""

    def __init__(self, response: requests.Response, exchange: Exchange, max_bytes: int) -> None:
        self.status = response.status_code
        self.retry_after = response.headers.get("Retry-After")
        self._response = response
        self._raw: urllib3.BaseHTTPResponse = response.raw
        self._exchange = exchange
        self._bytes_left = max_bytes
        self._hurries_until_s = float("inf")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's bytes the moment they come; an answer beyond the limit is bad."""
        while chunk := self._read():
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                raise ModelBadReply
            yield chunk

    def has_more(self) -> bool:
        """Tell whether more of the body is here already."""
        return self._exchange.has_more()

    def hurry(self, timeout_s: float) -> None:
        """Give the rest of the body this long; it is dropped where it takes longer."""
        self._hurries_until_s = time.monotonic() + timeout_s
        if self._exchange.socket is not None:
            self._exchange.socket.settimeout(timeout_s)

    def _read(self) -> bytes:
        call = self._exchange.call
        call.check()
        if time.monotonic() > self._hurries_until_s:
            return b""
        try:
            # Not `iter_content`: it waits until a whole buffer is full.
            chunk = self._raw.read1(READ_BYTES, decode_content=True)
        except wire.HTTPError as error:
            call.check()
            raise as_model_error(error) from error
        call.check()
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A connection whose answer was read to its end is back in the pool, any other one ends.
        self._response.close()
        self._exchange.call.detach()


class Transport:
    """Posts JSON to one address over kept connections; follows no redirect and uses no proxy."""

    def __init__(
        self, url: str, *, token: str | None, timeout_s: float, max_connections: int, max_bytes: int
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._session = _session(max_connections)
        self._template = _template(url, token)

    def post(self, payload: Mapping[str, object], call: Call) -> Answer:
        """Send `payload` and return when the answer's headers are there.

        Raises `ModelError`, or what ended the call, which its owner then detaches.
        """
        exchange = Exchange(call)
        request = copy.copy(self._template)
        request.body = json.dumps(payload, separators=(",", ":")).encode()
        request.headers = self._template.headers.copy()
        request.headers["Content-Length"] = str(len(request.body))
        if call.request_id:
            request.headers["X-Request-ID"] = call.request_id
        try:
            response = self._send(request, exchange)
        except (lib.RequestException, wire.HTTPError) as error:
            call.check()
            raise as_model_error(error) from error
        return Answer(response, exchange, self._max_bytes)

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _send(self, request: requests.PreparedRequest, exchange: Exchange) -> requests.Response:
        try:
            return self._send_once(request, exchange)
        except lib.ConnectionError as error:
            if not (exchange.is_reused and isinstance(protocol_cause(error), ConnectionError)):
                raise
        # The server had closed the kept connection while nobody used it: that is no failure.
        exchange.call.check()
        exchange.must_connect = True
        return self._send_once(request, exchange)

    def _send_once(
        self, request: requests.PreparedRequest, exchange: Exchange
    ) -> requests.Response:
        call = exchange.call
        connect_s = call.within(min(CONNECT_TIMEOUT_S, self._timeout_s))
        with exchange.running():
            return self._session.send(
                request,
                stream=True,
                timeout=(connect_s, call.within(self._timeout_s)),
                allow_redirects=False,
            )


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Know of no redirect: `requests` would read the whole body to prepare for one."""
        return None


def _session(max_connections: int) -> requests.Session:
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = InterruptibleAdapter(pool_connections=1, pool_maxsize=max_connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _template(url: str, token: str | None) -> requests.PreparedRequest:
    """Prepare what all requests have in common once; preparing costs more than sending."""
    headers = {
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if token:
        headers["Authorization"] = f"Bearer {token}"
    unusable = ValueError("The model's address or access token cannot be sent")
    if not url.lower().startswith(("http://", "https://")):
        raise unusable
    try:
        return requests.Request("POST", url, headers=headers).prepare()
    except lib.RequestException:
        # The library's own sentence would show the token.
        raise unusable from None
