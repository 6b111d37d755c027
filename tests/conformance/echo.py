"""The application with an echoing WebSocket, which Autobahn's cases require.

The Origin check, the routing and the consumer's `dispatch` are the project's.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

from typing import Any, cast

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path

http_application = get_asgi_application()

from chat.consumers import ChatConsumer  # noqa: E402 Django is set up first
from chat.websocket.origins import SameOriginValidator  # noqa: E402


class EchoConsumer(ChatConsumer):
    """Sends every frame back."""

    async def connect(self) -> None:
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)

    async def disconnect(self, code: int) -> None:
        """Do nothing: there is nothing to shut down."""


route: Any = path("chat", cast(Any, EchoConsumer.as_asgi()))
application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": SameOriginValidator(URLRouter([route]), settings.CORS_ALLOWED_ORIGINS),
    }
)
