"""The one WebSocket route."""

from typing import Any, cast

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from chat.consumers import ChatConsumer
from chat.websocket.origins import HostValidator, SameOriginValidator, deny

# Django's path() is typed for views only; Channels' router gives it ASGI applications.
chat_route: Any = path("chat", cast(Any, ChatConsumer.as_asgi()))
no_route: Any = re_path("", cast(Any, deny))

websocket_application = HostValidator(
    SameOriginValidator(URLRouter([chat_route, no_route]), settings.CORS_ALLOWED_ORIGINS),
    settings.ALLOWED_HOSTS,
)
