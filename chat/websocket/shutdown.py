"""Graceful shutdown of a web process: finish requests, and close every socket with 1012.

uvicorn does this itself. daphne only cancels all its applications at once, and exits when they have
ended (`chatproject.daphne_patches`).
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chat.websocket.backpressure import ClientConnection

SERVICE_RESTART = 1012
# Until what was sent has left, and until the requests have an answer, as with uvicorn.
GRACE_S = 0.5
REQUEST_GRACE_S = 10.0


class GracefulShutdown:
    """Wraps an ASGI application."""

    def __init__(self, application: Callable[..., Awaitable[Any]]) -> None:
        self._application = application
        self._refuses_until = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve; if the server shuts down meanwhile, close with 1012 and finish."""
        if scope["type"] == "websocket" and time.monotonic() < self._refuses_until:
            await send({"type": "websocket.close"})
            return
        serving = asyncio.ensure_future(self._application(scope, receive, send))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            # daphne also cancels an application that takes long to notice that its client left.
            if not serving.done() and not ClientConnection(receive, send).is_disconnected():
                self._refuses_until = time.monotonic() + 2 * GRACE_S
                await _finish(scope, send, serving)
            serving.cancel()
            raise


async def _finish(scope: Any, send: Any, serving: "asyncio.Future[Any]") -> None:
    if scope["type"] != "websocket":
        await asyncio.wait([serving], timeout=REQUEST_GRACE_S)
        return
    with contextlib.suppress(Exception):  # the client may be gone
        await send({"type": "websocket.close", "code": SERVICE_RESTART})
    await asyncio.sleep(GRACE_S)
