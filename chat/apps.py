"""The chat app's configuration for Django."""

import logging

from django.apps import AppConfig
from django.conf import settings


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Raise the limit of open files, start logging, metrics and traces, connect to Celery."""
        from chat.observability import metric_files, open_files, tracing
        from chat.worker import lifecycle

        open_files.raise_limit()
        logging.captureWarnings(settings.LOG_FORMAT == "json")
        metric_files.prepare(settings.METRICS_DIR)
        lifecycle.connect_signals()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            tracing.start(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
