"""Wiring: settings, ASGI entry, URL table and the Celery app."""

from chatproject.celery import app as celery_app

__all__ = ["celery_app"]
