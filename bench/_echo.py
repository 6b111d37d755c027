"""An echo on the same web server: the lower bound of what any chat costs."""

from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application that echoes."""
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"echo"})
        return
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": message["text"]})
