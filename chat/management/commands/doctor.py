"""`manage.py doctor`: check a running deployment and say line by line what to change."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chat.cli.doctor import components, conversation, redis_servers, site
from chat.cli.doctor.findings import Finding, Level, examine


class Command(BaseCommand):
    help = "Check a running deployment, from outside and behind, and say what to change."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the site's address and how long to be silent on a socket."""
        local = f"http://127.0.0.1:{settings.PORT}"
        parser.add_argument("--url", default=local, help=f"the site's address, {local} by default")
        parser.add_argument(
            "--idle", type=float, default=70.0, help="seconds a socket is left silent"
        )

    def handle(self, *args: Any, url: str, idle: float, **options: Any) -> None:
        """Print the findings as they come; exit status 1 where one is a failure."""
        logging.disable()  # the findings say it
        failures = warnings = 0
        for finding in diagnose(url.rstrip("/"), idle):
            failures += finding.level is Level.FAILURE
            warnings += finding.level is Level.WARNING
            self.tell(finding)
        self.stdout.write(f"\n{failures} failures, {warnings} warnings.")
        sys.exit(1 if failures else 0)

    def tell(self, finding: Finding) -> None:
        styles = {Level.WARNING: self.style.WARNING, Level.FAILURE: self.style.ERROR}
        style = styles.get(finding.level, self.style.SUCCESS)
        self.stdout.write(f"{style(finding.level.value.ljust(4))} {finding.what}")
        if finding.advice:
            self.stdout.write(f"     -> {finding.advice}")
        self.stdout.flush()


def diagnose(url: str, idle_s: float) -> Iterator[Finding]:
    """Check everything, servers first, because what is wrong there explains the rest."""
    yield from examine("The settings", components.check_settings)
    yield from examine("Redis", redis_servers.check_servers)
    yield from examine("The broker", components.check_broker)
    yield from examine("The channel layer", components.check_layer)
    yield from examine("The workers", components.check_workers)
    yield from examine("The database", components.check_database)
    yield from examine("The site", partial(site.check_site, url))
    token, found = site.begin_session(url)
    yield found
    if token:
        check_socket = partial(conversation.check_socket, url, token, idle_s)
        yield from examine("The socket", check_socket)
        yield from examine("The session", partial(site.end_session, url, token))
