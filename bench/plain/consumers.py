"""The consumer: each text frame is a message, each answer a frame."""

from uuid import uuid4

from channels.generic.websocket import AsyncWebsocketConsumer

from bench.plain import settings
from bench.plain.tasks import app


class ChatConsumer(AsyncWebsocketConsumer):
    """One conversation, in a group of its own."""

    async def connect(self) -> None:
        self.group = f"chat_{uuid4().hex}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        app.send_task(settings.TASK, (self.group, text_data))

    async def chat_message(self, event: dict[str, str]) -> None:
        """Forward what a task has sent to the group."""
        await self.send(event["text"])
