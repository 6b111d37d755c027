"""The end of a web process: finish what has begun, and say goodbye to every socket.

uvicorn does so itself. daphne only cancels its applications, all at once, and ends when the first
of them is gone: so each says its goodbye the moment it is cancelled, and then gives all of them
the same time.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chat.websocket.backpressure import Connection

SERVICE_RESTART = 1012
FAREWELL_S = 0.5


class GracefulShutdown:
    """Wraps an ASGI application."""

    def __init__(self, application: Callable[..., Awaitable[Any]]) -> None:
        self._application = application
        self._leaving_until = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve; where the server is told to end meanwhile, close with 1012 and finish."""
        if time.monotonic() < self._leaving_until:
            await _refuse(scope, send)
            return
        serving = asyncio.ensure_future(self._application(scope, receive, send))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # daphne cancels also what takes long to notice that its client is gone.
            if not serving.done() and not Connection(receive, send).is_gone():
                self._leaving_until = time.monotonic() + 2 * FAREWELL_S
                await _say_goodbye(scope, send)
            serving.cancel()
            raise


async def _say_goodbye(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        with contextlib.suppress(Exception):  # a client that is gone needs no goodbye
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
    await asyncio.sleep(FAREWELL_S)


async def _refuse(scope: Any, send: Any) -> None:
    """daphne still listens while it ends: send newcomers to the process that follows."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"retry-after", b"1"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
