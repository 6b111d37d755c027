"""`manage.py runall`: everything a site needs, in one terminal; what `make run` runs."""

import os
import socket
import sys
import threading
import time
from typing import Any

import redis
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from chat.cli import first_user
from chat.cli.processes import Runner, child_environment, procfile_commands
from chat.management.commands import runredis
from inference.management.commands import runmodel


class Command(BaseCommand):
    help = "Run the web process, a worker, beat and, unless others are named, Redis and a model."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until Ctrl-C, or until one of the processes ends."""
        refuse_missing_parts()
        call_command("migrate", verbosity=0, interactive=False)
        password = first_user.create_first_user()
        connections.close_all()
        runner = Runner(first="redis", first_is_up=redis_answers)
        environment = child_environment(dict(os.environ), settings.PORT)
        for name, command in wanted_commands().items():
            runner.add_process(name, command, env=environment, cwd=str(settings.BASE_DIR))
        threading.Thread(target=self.announce, args=[password], daemon=True).start()
        runner.loop()
        sys.exit(runner.returncode)

    def announce(self, password: str | None) -> None:
        """Say the addresses once every part of the site answers, and the first user's password."""
        while not site_answers():
            time.sleep(0.1)
        site = f"http://127.0.0.1:{settings.PORT}"
        self.stdout.write(f"\nThe chat is on {site} (Ctrl-C ends it)\n")
        self.stdout.write(f"The admin is on {site}/admin/\n")
        if password:
            self.stdout.write(
                f"Log in as {first_user.NAME} with the password {password} (shown only this once)\n"
            )
        self.stdout.write("\n")
        self.stdout.flush()


def refuse_missing_parts() -> None:
    """Say what is missing while it is the only thing said."""
    if settings.EMBEDDED_REDIS:
        runredis.bundled_files()
    if settings.EMBEDDED_MODEL:
        runmodel.readable_weights()
    for port, purpose in needed_ports().items():
        refuse_used_port(port, purpose)


def needed_ports() -> dict[int, str]:
    """Return the ports to listen on, and what each is for."""
    ports = {settings.PORT: "the site; choose another with PORT"}
    if settings.EMBEDDED_REDIS:
        ports[settings.EMBEDDED_REDIS_PORT] = (
            "the embedded Redis; choose another with EMBEDDED_REDIS_PORT"
        )
    if settings.EMBEDDED_MODEL:
        ports[settings.EMBEDDED_MODEL_PORT] = (
            "the embedded model; choose another with EMBEDDED_MODEL_PORT"
        )
    return ports


def refuse_used_port(port: int, purpose: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used: {error.strerror}. It is for {purpose}."
            ) from error


def wanted_commands() -> dict[str, str]:
    """Return the Procfile's commands but those of servers that run elsewhere."""
    commands = procfile_commands(settings.BASE_DIR / "Procfile")
    elsewhere = {"redis": not settings.EMBEDDED_REDIS, "model": not settings.EMBEDDED_MODEL}
    return {name: command for name, command in commands.items() if not elsewhere.get(name)}


def redis_answers() -> bool:
    with redis.Redis.from_url(settings.REDIS_URL, retry=None) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def site_answers() -> bool:
    addresses = [f"http://127.0.0.1:{settings.PORT}/readyz"]
    if settings.EMBEDDED_MODEL:
        addresses.append(f"http://127.0.0.1:{settings.EMBEDDED_MODEL_PORT}/health")
    try:
        return all(requests.get(address, timeout=5).ok for address in addresses)
    except requests.RequestException:
        return False
