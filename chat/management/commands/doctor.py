"""`manage.py doctor`: check a running site and print, line by line, what to change."""

import logging
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chat.cli.doctor import (
    components,
    conversation,
    model_server,
    rabbitmq_server,
    redis_servers,
    site,
)
from chat.cli.doctor.findings import Finding, Level, count, run_check


class Command(BaseCommand):
    help = "Check a running site from the outside and its servers, and say what to change."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="the site's address (default: %(default)s)",
        )
        parser.add_argument(
            "--idle",
            type=float,
            default=70.0,
            help="seconds to leave a WebSocket idle (default: %(default)s)",
        )

    def handle(self, *args: Any, url: str, idle: float, **options: Any) -> None:
        """Print the findings as they come; exit with status 1 if one is a failure."""
        logging.disable()  # the findings report the errors
        found: Counter[Level] = Counter()
        for finding in diagnose(url.rstrip("/"), idle):
            found[finding.level] += 1
            self.print(finding)
        failures = count(found[Level.FAILURE], "failure")
        self.stdout.write(f"\n{failures}, {count(found[Level.WARNING], 'warning')}")
        sys.exit(1 if found[Level.FAILURE] else 0)

    def print(self, finding: Finding) -> None:
        styles = {
            Level.WARNING: self.style.WARNING,
            Level.FAILURE: self.style.ERROR,
            Level.PROGRESS: self.style.HTTP_INFO,
        }
        style = styles.get(finding.level, self.style.SUCCESS)
        self.stdout.write(f"{style(finding.level.value.ljust(4))} {finding.text}")
        if finding.advice:
            self.stdout.write(f"     -> {finding.advice}")
        self.stdout.flush()


def diagnose(url: str, idle_s: float) -> Iterator[Finding]:
    """Check everything, servers first, because their problems explain the others."""
    yield from run_check("the settings", components.check_settings)
    yield from run_check("Redis", redis_servers.check_servers)
    yield from run_check("RabbitMQ", rabbitmq_server.check_server)
    yield from run_check("the broker", components.check_broker)
    yield from run_check("the channel layer", components.check_layer)
    yield from run_check("the workers", components.check_workers)
    yield from run_check("the erasure", components.check_erasure)
    yield from run_check("the database", components.check_database)
    yield from run_check("the model server", model_server.check_model_server)
    yield from run_check("the site", partial(site.check_site, url))
    token, finding = site.create_session(url)
    yield finding
    if token:
        check_socket = partial(conversation.check_socket, url, token, idle_s)
        yield from run_check("the WebSocket", check_socket)
        yield from run_check("the session", partial(site.delete_session, url, token))
