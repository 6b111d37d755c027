"""Graceful shutdown of a web process: finish requests, and close every socket with 1012.

uvicorn does this itself. daphne only cancels all its applications at once and exits when the first
one has ended. So each application closes its socket as soon as it is cancelled, and then waits as
long as every other.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chat.websocket.backpressure import ClientConnection

SERVICE_RESTART = 1012
GRACE_S = 0.5


class GracefulShutdown:
    """Wraps an ASGI application."""

    def __init__(self, application: Callable[..., Awaitable[Any]]) -> None:
        self._application = application
        self._refuses_until = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve; if the server shuts down meanwhile, close with 1012 and finish."""
        if time.monotonic() < self._refuses_until:
            await _refuse(scope, send)
            return
        serving = asyncio.ensure_future(self._application(scope, receive, send))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # daphne also cancels an application that takes long to notice that its client left.
            if not serving.done() and not ClientConnection(receive, send).is_disconnected():
                self._refuses_until = time.monotonic() + 2 * GRACE_S
                await _close(scope, send)
            serving.cancel()
            raise


async def _close(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        with contextlib.suppress(Exception):  # the client may be gone
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
    await asyncio.sleep(GRACE_S)


async def _refuse(scope: Any, send: Any) -> None:
    """Refuse a new client: daphne still listens while it shuts down."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"retry-after", b"1"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
