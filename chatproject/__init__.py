"""Wiring: settings, ASGI entry, URL table and the Celery app."""

import tomllib
from pathlib import Path

from chatproject.celery import app as celery_app

PROJECT_FILE = Path(__file__).resolve().parent.parent / "pyproject.toml"
VERSION: str = tomllib.loads(PROJECT_FILE.read_text())["project"]["version"]

__all__ = ["VERSION", "celery_app"]
