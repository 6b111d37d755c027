"""The Django project: settings, ASGI application, URLs and Celery app."""

from chatproject.celery import app as celery_app

__all__ = ["celery_app"]
