"""The bare path: the same hops as the plain construction, as fast as the libraries do them.

Threads instead of processes, an HTTP connection that is kept, one event loop for the channel layer,
and nothing stored.
"""

import asyncio
import threading
from functools import cache
from typing import Any

import requests
from channels.layers import get_channel_layer

from bench.plain import settings
from bench.plain.tasks import app

_local = threading.local()


@app.task(name="bare.answer")
def answer(group: str, text: str) -> None:
    """Query the model and send its whole answer, without waiting for the channel layer."""
    if not hasattr(_local, "http"):
        _local.http = requests.Session()
    payload = {"inputs": f"Human: {text}\nBot:"}
    response = _local.http.post(settings.MODEL_URL, json=payload, timeout=60)
    event = {"type": "chat.message", "text": response.json()[0]["generated_text"]}
    layer: Any = get_channel_layer()
    asyncio.run_coroutine_threadsafe(layer.group_send(group, event), _loop())


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop
