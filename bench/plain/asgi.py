"""The ASGI application: WebSockets only."""

import django

django.setup()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from bench.plain.consumers import ChatConsumer  # noqa: E402

application = ProtocolTypeRouter({"websocket": ChatConsumer.as_asgi()})
