"""Which sites may open a WebSocket: those of CORS_ALLOWED_ORIGINS and the site itself.

A client without an Origin header is not a browser, so no other site's page controls it.
"""

from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator


class SameOriginValidator(OriginValidator):
    """Channels' validator that also accepts the site's own origin and clients without one."""

    def __init__(self, application: Any, allowed_origins: list[str]) -> None:
        super().__init__(application, allowed_origins)
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host", b"")
        if origin is None or self._is_allowed(origin.decode("latin-1"), host.decode("latin-1")):
            return await self._application(scope, receive, send)
        # Channels' WebsocketDenier would first subscribe to the channel layer.
        await receive()
        return await send({"type": "websocket.close"})

    def _is_allowed(self, origin: str, host: str) -> bool:
        try:
            parsed = urlparse(origin)
            is_same = bool(parsed.netloc) and parsed.netloc.lower() == host.lower()
            return is_same or self.validate_origin(parsed)
        except ValueError:  # such as "http://[", or a port that is no number
            return False
