"""Which hosts and sites may open a WebSocket.

The Host header must name a host of ALLOWED_HOSTS, as Django requires it for HTTP. Pages of
CORS_ALLOWED_ORIGINS and of the site itself may connect. A client without an Origin header is not a
browser, so no other site's page controls it.
"""

from typing import Any
from urllib.parse import ParseResult, urlparse

from channels.security.websocket import OriginValidator
from django.http.request import split_domain_port, validate_host


async def deny(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a handshake with 403. Channels' WebsocketDenier would first subscribe in Redis."""
    await receive()
    await send({"type": "websocket.close"})


class HostValidator:
    """Denies a handshake whose Host header is not one of `allowed_hosts`."""

    def __init__(self, application: Any, allowed_hosts: list[str]) -> None:
        self._application = application
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        """Serve an allowed host."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self._is_allowed(hosts[0].decode("latin-1")):
            return await self._application(scope, receive, send)
        return await deny(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        domain, _ = split_domain_port(host)
        return bool(domain) and validate_host(domain, self._allowed_hosts)


class SameOriginValidator(OriginValidator):
    """Channels' validator that also accepts the site's own origin and clients without one."""

    def __init__(self, application: Any, allowed_origins: list[str]) -> None:
        super().__init__(application, allowed_origins)
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = scope["headers"]
        origins = [value for name, value in headers if name == b"origin"]
        host = dict(headers).get(b"host", b"")
        if not origins or (len(origins) == 1 and self._is_accepted(origins[0], host)):
            return await self._application(scope, receive, send)
        return await deny(scope, receive, send)

    def _is_accepted(self, origin: bytes, host: bytes) -> bool:
        try:
            parsed = urlparse(origin.decode("latin-1"))
            return _is_same(parsed, host) or self.validate_origin(parsed)
        except ValueError:  # a port that is none, or half an IPv6 address
            return False


def _is_same(origin: ParseResult, host: bytes) -> bool:
    return origin.netloc.lower() == host.decode("latin-1").lower()
