"""The WebSocket routes: one for visitors and other programs, two for the admin's pages."""

from typing import Any, cast

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from chat.consumers import ChatConsumer
from chat.takeover.sockets import OperatorConsumer, RequestsConsumer
from chat.websocket.origins import HostValidator, SameOriginValidator, deny


def _route(address: str, application: Any, origins: list[str]) -> Any:
    # Django's path() is typed for views only; Channels' router gives it ASGI applications.
    return path(address, cast(Any, SameOriginValidator(application, origins)))


websocket_application = HostValidator(
    URLRouter(
        [
            _route("chat", ChatConsumer.as_asgi(), settings.CORS_ALLOWED_ORIGINS),
            # No other site's page, whatever it may do with the public API.
            _route("admin/operator/<str:session>", OperatorConsumer.as_asgi(), []),
            _route("admin/operator-requests", RequestsConsumer.as_asgi(), []),
            re_path("", cast(Any, deny)),
        ]
    ),
    settings.ALLOWED_HOSTS,
)
