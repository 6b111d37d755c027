"""The ASGI application: Django for HTTP, the chat consumer for WebSockets."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402 Django is set up first

from chat.farewell import Farewell  # noqa: E402
from chat.routing import websocket_application  # noqa: E402
from chatproject import daphne_mended  # noqa: E402

daphne_mended.mend()

application = Farewell(
    ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
)
