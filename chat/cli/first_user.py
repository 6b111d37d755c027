"""The admin's first user, so that a first start in development needs no second command."""

import secrets

from django.conf import settings
from django.contrib.auth import get_user_model

NAME = "admin"


def create_first_user() -> str | None:
    """Create the user `admin` and return its password, which is kept nowhere in the clear.

    Does nothing and returns None where there is a user already, and in production.
    """
    users = get_user_model().objects
    if settings.APP_ENV != "development" or users.exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(NAME, password=password)
    return password
