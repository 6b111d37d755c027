"""Django's handle on the chat app."""

from django.apps import AppConfig
from django.conf import settings


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Begin to count, and listen to what Celery says of a worker's life."""
        from chat import metric_files, worker

        metric_files.begin(settings.METRICS_DIR)
        worker.listen()
