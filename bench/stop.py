"""Time from `reply.stop` to the end of the request at the model's server.

Measured for models that write at different speeds. The request to a silent model is closed when the
worker next renews its lease.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import requests

from bench._load import script, site, spread
from tests.client import Client, create_session
from tests.processes import WEB_SERVERS

STOPS = 50
# The behaviour of the model stub.
MODELS: dict[str, dict[str, Any]] = {
    "50 tokens/s": {"pieces": ["word "], "endless": True, "piece_delay_s": 0.02},
    " 5 tokens/s": {"pieces": ["word "], "endless": True, "piece_delay_s": 0.2},
    "silent after the first token": {"pieces": ["word ", "word "], "hang_after": 1},
}


def run() -> Iterator[str]:
    """Measure with each model."""
    with site(next(iter(WEB_SERVERS))) as (stack, model):
        for name, behaviour in MODELS.items():
            script(model, **behaviour)
            took = asyncio.run(_stops_ms(stack.url, stack.ws_url, model))
            yield f"{name}: {spread(took)} of {STOPS} stops"


async def _stops_ms(url: str, ws_url: str, model: str) -> list[float]:
    async with Client(ws_url, create_session(url)) as client:
        return [await _stop_ms(client, model) for _ in range(STOPS)]


async def _stop_ms(client: Client, model: str) -> float:
    await asyncio.to_thread(requests.delete, f"{model}/requests", timeout=10)
    message = await client.send_message("Tell me a story.")
    await client.wait_for_frame("reply.delta", reply_to=message)
    stopped_at = time.time()
    await client.send("reply.stop", reply_to=message)
    await client.wait_for_reply(message)
    return (await asyncio.to_thread(_disconnected_at, model) - stopped_at) * 1000


def _disconnected_at(model: str) -> float:
    """Wait until the last request is disconnected; return when, in seconds since the epoch."""
    while True:
        seen = requests.get(f"{model}/requests", timeout=10).json()
        if ended_at := seen[-1]["disconnected_at_s"]:
            return float(ended_at)
        time.sleep(0.01)
