"""Two patches of daphne 4.2, applied only in a process that daphne serves."""

import asyncio
import sys
from typing import Any

MAX_REASON_BYTES = 123  # RFC 6455, 5.5: a control frame has 125 bytes, two of them the code


def apply() -> None:
    """Patch daphne if it is the server of this process."""
    if "daphne.server" in sys.modules:
        _send_close_code_and_reason()
        _cancel_all_applications()


def _send_close_code_and_reason() -> None:
    """Send the code and reason of `websocket.close`; the WebSocket API closes with 1008 and 1012.

    daphne drops the reason: https://github.com/django/daphne/issues/374. Its library Autobahn
    raises an exception in `sendClose` for codes other than 1000 and 3000 to 4999:
    https://github.com/crossbario/autobahn-python/issues/1642. `sendCloseFrame` has no such check.
    """
    from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]

    handle_reply = WebSocketProtocol.handle_reply

    def patched(self: Any, message: dict[str, Any]) -> None:
        if message.get("type") == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = (message.get("reason") or "").encode()[:MAX_REASON_BYTES]
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
        else:
            handle_reply(self, message)

    WebSocketProtocol.handle_reply = patched


def _cancel_all_applications() -> None:
    """Let daphne cancel every application on shutdown, so that sockets are closed with 1012.

    `Server.kill_all_applications` reads `details["application_instance"]` of every connection, but
    two kinds of connection have none: the request of a WebSocket handshake, which stays in the
    list for up to a second, and a connection that is open after its application has finished. The
    first one raises KeyError, and the applications after it are not cancelled. No upstream issue is
    known. The patch adds a finished future to these connections.
    """
    from daphne.server import Server  # type: ignore[import-untyped]

    kill_all_applications = Server.kill_all_applications

    def patched(self: Any) -> Any:
        finished: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        finished.set_result(None)
        for details in self.connections.values():
            details.setdefault("application_instance", finished)
        return kill_all_applications(self)

    Server.kill_all_applications = patched
