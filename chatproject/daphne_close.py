"""Let daphne close a WebSocket with any standard code, and with a reason.

Autobahn, below daphne, lets applications close with 1000 and 3000 to 4999 only, and daphne drops
the reason (https://github.com/django/daphne/issues/374). The chat's contract closes with 1008 and a
reason; other ASGI servers send both.
"""

import sys
from typing import Any

MAX_REASON_BYTES = 123


def send_standard_close_codes() -> None:
    """Teach daphne to, where it is the server of this process."""
    if "daphne.server" not in sys.modules:
        return
    from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]

    handle_reply = WebSocketProtocol.handle_reply

    def handle_reply_or_close(self: Any, message: dict[str, Any]) -> None:
        if message.get("type") == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = (message.get("reason") or "").encode()[:MAX_REASON_BYTES]
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
        else:
            handle_reply(self, message)

    WebSocketProtocol.handle_reply = handle_reply_or_close
