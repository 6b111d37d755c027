"""The Celery app; its tasks are in chat/tasks.py."""

import os

from celery import Celery, signals
from kombu.transport.redis import SentinelChannel

from chat.store.connections import PrimaryConnection, PrimaryTlsConnection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

# Behind Sentinels, a connection leaves a primary that lacks replicas, like those of the store.
SentinelChannel.connection_class = PrimaryConnection
SentinelChannel.connection_class_ssl = PrimaryTlsConnection

app = Celery("chatproject")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def leave_logging_to_django(**_: object) -> None:
    """Keep the settings' LOGGING: Celery configures logging only if nobody receives this signal."""
