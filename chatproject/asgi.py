"""The ASGI application: Django for HTTP, the chat consumer for WebSockets."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402 after Django's setup
from django.urls import get_resolver  # noqa: E402

from chat.observability import open_files  # noqa: E402
from chat.routing import websocket_application  # noqa: E402
from chat.websocket.shutdown import GracefulShutdown  # noqa: E402
from chatproject import daphne_patches  # noqa: E402
from chatproject.request_checks import RequestChecks  # noqa: E402

daphne_patches.apply()
open_files.warn_if_low()

application = GracefulShutdown(
    ProtocolTypeRouter(
        {"http": RequestChecks(http_application), "websocket": websocket_application}
    )
)

# What is loaded now stays until the process ends. A full garbage collection would visit these some
# 300,000 objects each time, and stop the event loop for 50 to 100 ms.
get_resolver().url_patterns  # noqa: B018 it loads the views
gc.collect()
gc.freeze()
