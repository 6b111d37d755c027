"""Which web sites may open a socket: those of CORS_ALLOWED_ORIGINS and the site itself.

A client that sends no Origin is no browser, and no other site's page can make it connect.
"""

from typing import Any
from urllib.parse import ParseResult, urlparse

from channels.security.websocket import OriginValidator


class SameOriginValidator(OriginValidator):
    """Channels' check, with the site's own origin and clients that are no browsers let in."""

    def __init__(self, application: Any, allowed_origins: list[str]) -> None:
        super().__init__(application, allowed_origins)
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        if b"origin" not in headers or _same_host(headers[b"origin"], headers.get(b"host", b"")):
            return await self._application(scope, receive, send)
        return await super().__call__(scope, receive, send)

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is not None and self.validate_origin(parsed_origin)


def _same_host(origin: bytes, host: bytes) -> bool:
    return urlparse(origin.decode("latin-1")).netloc.lower() == host.decode("latin-1").lower()
