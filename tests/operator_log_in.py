"""`python -m tests.operator_log_in NAME`: create a superuser who is logged in to the admin.

It prints the session's key. It imports nothing of the tests, so it uses the site's own settings.
"""

import sys

import django

django.setup()

from django.contrib import auth  # noqa: E402 after Django's setup
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402


def log_in(name: str) -> str:
    """Create the user and a session; return the session's key."""
    user = User.objects.create_superuser(name)
    session = SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    sys.stdout.write(f"{log_in(sys.argv[1])}\n")
