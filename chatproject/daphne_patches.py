"""Two mends to daphne, for a process that is one: how it closes a WebSocket, and how it ends.

Autobahn, below daphne, lets applications close with 1000 and 3000 to 4999 only, and daphne drops
the reason (https://github.com/django/daphne/issues/374). The chat's contract closes with 1008 and a
reason; other ASGI servers send both.

At its end daphne cancels the application of every connection, and fails at the first that has none:
the request of a WebSocket's handshake, which stays in its list for about a second. Then no
application is told of the end at all.
"""

import asyncio
import sys
from typing import Any

MAX_REASON_BYTES = 123


def mend() -> None:
    """Mend daphne, where it is the server of this process."""
    if "daphne.server" in sys.modules:
        _close_with_standard_codes()
        _end_every_application()


def _close_with_standard_codes() -> None:
    from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]

    handle_reply = WebSocketProtocol.handle_reply

    def handle_reply_or_close(self: Any, message: dict[str, Any]) -> None:
        if message.get("type") == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = (message.get("reason") or "").encode()[:MAX_REASON_BYTES]
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
        else:
            handle_reply(self, message)

    WebSocketProtocol.handle_reply = handle_reply_or_close


def _end_every_application() -> None:
    from daphne.server import Server  # type: ignore[import-untyped]

    kill_all_applications = Server.kill_all_applications

    def kill_those_that_run(self: Any) -> Any:
        nothing: asyncio.Future[None] = asyncio.get_event_loop().create_future()
        nothing.set_result(None)
        for details in self.connections.values():
            details.setdefault("application_instance", nothing)
        return kill_all_applications(self)

    Server.kill_all_applications = kill_those_that_run
