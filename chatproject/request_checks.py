"""Checks of HTTP requests before Django sees them, and headers of every response.

The whole body is read here, within limits of size and time, because Django would write a body of
any size to disk. uvicorn passes a body on piece by piece. daphne collects it first, so
`daphne_patches` applies the same limits there.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from chat.observability import metrics
from chatproject.request_limits import BODY_TIMEOUT_S, MAX_BODY_BYTES

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Set where a response does not set them itself.
RESPONSE_HEADERS = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(),"
        b" magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    ),
)

Headers = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class RefusedRequest(Exception):
    """A request that no view sees."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Headers = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


class ClientLeft(Exception):
    """The client closed the connection before its request was complete."""


class RequestChecks:
    """Wraps the ASGI application for HTTP."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass an acceptable request on with its whole body, or respond with the reason."""
        started_at = time.perf_counter()
        send = _with_response_headers(send)
        try:
            check_head(scope["method"], scope["headers"])
            body = await _read_body(receive)
        except RefusedRequest as refused:
            seconds = time.perf_counter() - started_at
            metrics.record_http_request(scope["method"], "refused", refused.status, seconds)
            await _respond(send, refused)
        except ClientLeft:
            return
        else:
            await self._application(scope, _receive_body(body, receive), send)


def check_head(method: str, headers: Headers) -> None:
    """Raise RefusedRequest for a method, framing, size or origin that no client of ours sends."""
    if method not in METHODS:
        allow = ", ".join(sorted(METHODS)).encode()
        raise RefusedRequest(
            HTTPStatus.METHOD_NOT_ALLOWED, "This method is not allowed.", [(b"allow", allow)]
        )
    lengths, encodings, origins = (
        [value for name, value in headers if name.lower() == wanted]
        for wanted in (b"content-length", b"transfer-encoding", b"origin")
    )
    # Proxies disagree about which of the two counts: request smuggling.
    if len(lengths) > 1 or (lengths and encodings):
        raise RefusedRequest(HTTPStatus.BAD_REQUEST, "The request has two lengths.")
    if lengths and (not lengths[0].isdigit() or int(lengths[0][:20]) > MAX_BODY_BYTES):
        raise too_large()
    if len(origins) > 1 or not all(map(is_valid_origin, origins)):
        raise RefusedRequest(HTTPStatus.BAD_REQUEST, "The Origin header is not valid.")


def is_valid_origin(origin: bytes) -> bool:
    """Return whether host and port of an Origin header can be parsed."""
    try:
        return urlsplit(origin.decode("latin-1")).port != -1
    except ValueError:
        return False


def too_large() -> RefusedRequest:
    """Return the refusal of a body above the limit."""
    return RefusedRequest(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than {MAX_BODY_BYTES // 1024} KiB.",
    )


async def _read_body(receive: Receive) -> bytes:
    body, is_complete = bytearray(), False
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while not is_complete:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise too_large()
                is_complete = not message.get("more_body", False)
    except TimeoutError:
        raise RefusedRequest(
            HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time."
        ) from None
    return bytes(body)


def _receive_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body once, and then what the server reports."""
    remaining = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Any:
        return remaining.pop() if remaining else await receive()

    return receive_body


def _with_response_headers(send: Send) -> Send:
    async def send_with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [header for header in RESPONSE_HEADERS if header[0] not in names]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_headers


async def _respond(send: Send, refused: RefusedRequest) -> None:
    body = json.dumps({"detail": refused.detail}).encode()
    headers = [
        *refused.headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        # What is left of the body is not read, so no other request can follow it.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": int(refused.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
