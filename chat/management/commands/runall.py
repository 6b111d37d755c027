"""`manage.py runall`: run everything a site needs in one terminal; `make run` calls it."""

import os
import sys
import threading
import time
from typing import Any

import redis
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from chat.cli import first_user
from chat.cli.processes import Runner, child_environment, procfile_commands
from chat.management.commands import runredis
from chat.store.connections import blocking_pool
from inference.management.commands import runmodel
from inference.management.embedded import require_free_port


class Command(BaseCommand):
    help = (
        "Run the web server, a worker and beat; also Redis and a model unless the settings name"
        " other servers."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C, or until one of the processes ends."""
        check_requirements()
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        password = first_user.create_first_user()
        connections.close_all()
        runner = Runner(first="redis", first_is_up=redis_responds)
        environment = child_environment(dict(os.environ), settings.PORT)
        for name, command in commands().items():
            runner.add_process(name, command, env=environment, cwd=str(settings.BASE_DIR))
        threading.Thread(target=self.announce, args=[password], daemon=True).start()
        runner.loop()
        sys.exit(runner.returncode)

    def announce(self, password: str | None) -> None:
        """Print the addresses once the whole site responds, and the first user's password."""
        while not site_responds():
            time.sleep(0.1)
        site = f"http://127.0.0.1:{settings.PORT}"
        lines = [f"Chat:  {site}", f"Admin: {site}/admin/"]
        if password:
            lines.append(
                f"Log in to the admin as {first_user.NAME} with the password {password}"
                " (shown only once)"
            )
        self.stdout.write("\n" + "\n".join([*lines, "Press Ctrl-C to stop."]) + "\n\n")
        self.stdout.flush()


def check_requirements() -> None:
    """Raise CommandError before anything starts, while no process prints lines around it."""
    require_free_port(settings.PORT, purpose="the web server", variable="PORT")
    if settings.EMBEDDED_REDIS:
        runredis.bundled_files()
        runredis.require_redis_port()
    if settings.EMBEDDED_MODEL:
        runmodel.readable_weights()
        runmodel.require_model_port()


def commands() -> dict[str, str]:
    """Return the Procfile's commands without those of servers that run elsewhere."""
    commands = procfile_commands(settings.BASE_DIR / "Procfile")
    if not settings.EMBEDDED_REDIS:
        del commands["redis"]
    if not settings.EMBEDDED_MODEL:
        del commands["model"]
    return commands


def redis_responds() -> bool:
    pool = blocking_pool(settings.REDIS_URL, retry=None, **settings.REDIS_TLS[settings.REDIS_URL])
    with redis.Redis.from_pool(pool) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def site_responds() -> bool:
    urls = [f"http://127.0.0.1:{settings.PORT}/readyz"]
    if settings.EMBEDDED_MODEL:
        urls.append(f"http://127.0.0.1:{settings.EMBEDDED_MODEL_PORT}/health")
    try:
        return all(requests.get(url, timeout=5).ok for url in urls)
    except requests.RequestException:
        return False
