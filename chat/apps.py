"""Django's handle on the chat app."""

import logging

from django.apps import AppConfig
from django.conf import settings


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Begin to count and to trace, and listen to what Celery says of a worker's life."""
        from chat.observability import metric_files, tracing
        from chat.worker import lifecycle

        logging.captureWarnings(settings.LOG_FORMAT == "json")
        metric_files.begin(settings.METRICS_DIR)
        lifecycle.connect_signals()
        tracing.start()
