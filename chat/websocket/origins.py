"""Which sites may open a WebSocket: those of CORS_ALLOWED_ORIGINS and the site itself.

A client without an Origin header is not a browser, so no other site's page controls it.
"""

from typing import Any
from urllib.parse import ParseResult, urlparse

from channels.security.websocket import OriginValidator


class SameOriginValidator(OriginValidator):
    """Channels' validator that also accepts the site's own origin and clients without one."""

    def __init__(self, application: Any, allowed_origins: list[str]) -> None:
        super().__init__(application, allowed_origins)
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        if b"origin" not in headers or _is_same(headers[b"origin"], headers.get(b"host", b"")):
            return await self._application(scope, receive, send)
        return await super().__call__(scope, receive, send)

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        # Channels would accept a missing origin; a malformed one arrives here as None, too.
        return parsed_origin is not None and self.validate_origin(parsed_origin)


def _is_same(origin: bytes, host: bytes) -> bool:
    return urlparse(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
