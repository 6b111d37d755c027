"""Three patches of daphne, applied if it is the server of this process.

Close codes: autobahn lets applications close with 1000 and 3000 to 4999 only, and daphne drops the
reason (https://github.com/django/daphne/issues/374). The API closes with 1008 and a reason, as on
other ASGI servers.

Shutdown: daphne cancels the application of every connection. `Server.kill_all_applications` (4.2.3)
raises KeyError at the first connection that has none, such as the HTTP request of a WebSocket's
handshake, which stays listed for about a second; then no application is cancelled at all.

Forms: Twisted parses multipart bodies, although daphne never uses the result, and answers an
invalid one with an empty 400 that the application never sees.
"""

import asyncio
import sys
from typing import Any

MAX_REASON_BYTES = 123


def apply() -> None:
    """Patch daphne if it is the server of this process."""
    if "daphne.server" in sys.modules:
        _allow_standard_close_codes()
        _cancel_every_application()
        _leave_forms_to_django()


def _allow_standard_close_codes() -> None:
    from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]

    handle_reply = WebSocketProtocol.handle_reply

    def handle_reply_or_close(self: Any, message: dict[str, Any]) -> None:
        if message.get("type") == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = (message.get("reason") or "").encode()[:MAX_REASON_BYTES]
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
        else:
            handle_reply(self, message)

    WebSocketProtocol.handle_reply = handle_reply_or_close


def _cancel_every_application() -> None:
    from daphne.server import Server  # type: ignore[import-untyped]

    kill_all_applications = Server.kill_all_applications

    def kill_running_applications(self: Any) -> Any:
        done: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        done.set_result(None)
        for details in self.connections.values():
            details.setdefault("application_instance", done)
        return kill_all_applications(self)

    Server.kill_all_applications = kill_running_applications


def _leave_forms_to_django() -> None:
    from twisted.web import http

    http._getMultiPartArgs = lambda content, ctype: {}
