"""A user of the admin, for tests over HTTP and in the browser."""

from uuid import uuid4

from tests.processes import START_TIMEOUT_S, Stack

PASSWORD = uuid4().hex


def create_operator(stack: Stack, **environment: str) -> str:
    """Create a superuser with PASSWORD; return its name."""
    name = f"operator-{uuid4().hex[:8]}"
    command = f"python manage.py createsuperuser --noinput --username {name} --email a@b.example"
    environment["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    created = stack.run("createsuperuser", command, environment)
    assert created.process.wait(START_TIMEOUT_S) == 0
    return name
