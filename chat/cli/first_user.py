"""The admin's first user, so that `make run` in development needs no second command."""

import secrets

from django.conf import settings
from django.contrib.auth import get_user_model

NAME = "admin"


def create_first_user() -> str | None:
    """Create the user `admin` and return its password, of which only the hash is stored.

    Returns None and creates nothing in production, or if a user exists.
    """
    users = get_user_model().objects
    if settings.APP_ENV != "development" or users.exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(NAME, password=password)
    return password
