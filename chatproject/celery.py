"""The Celery app; its tasks are in chat/tasks.py."""

import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

app = Celery("chatproject")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def leave_logging_to_django(**_: object) -> None:
    """Keep Django's LOGGING: Celery configures no logging if this signal has a receiver."""
