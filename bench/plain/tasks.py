"""The Celery app and the tasks of the plain construction."""

import json
from typing import Any

import redis
import requests
from asgiref.sync import async_to_sync
from celery import Celery
from channels.layers import get_channel_layer

from bench.plain import settings

HISTORY_MESSAGES = 4

app = Celery(
    "plain",
    broker=settings.REDIS_URL,
    task_ignore_result=True,
    include=["bench.plain.bare"],
    broker_connection_retry_on_startup=True,
)


@app.task(name="plain.answer")
def answer(group: str, text: str) -> None:
    """Query the model and send its whole answer."""
    history: Any = redis.Redis.from_url(settings.REDIS_URL, decode_responses=True)
    history.rpush(group, f"Human: {text}")
    prompt = "\n".join([*history.lrange(group, -HISTORY_MESSAGES, -1), "Bot:"])
    response = requests.post(settings.MODEL_URL, json={"inputs": prompt}, timeout=60)
    reply = response.json()[0]["generated_text"]
    history.rpush(group, f"Bot: {reply}")
    _send(group, reply)


@app.task(name="plain.stream")
def stream(group: str, text: str) -> None:
    """Query the model and send each token, then an empty text."""
    payload = {"inputs": f"Human: {text}\nBot:", "stream": True}
    with requests.post(settings.MODEL_URL, json=payload, stream=True, timeout=60) as response:
        for line in response.iter_lines(chunk_size=1):
            if line.startswith(b"data:"):
                event: Any = json.loads(line[5:])
                _send(group, event["token"]["text"])


def _send(group: str, text: str) -> None:
    layer: Any = get_channel_layer()
    async_to_sync(layer.group_send)(group, {"type": "chat.message", "text": text})
