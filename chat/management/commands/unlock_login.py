"""`manage.py unlock_login`: allow a user or an address to log in to the admin again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.accounts import throttle


class Command(BaseCommand):
    help = "Forget the failed log-ins of a user or of an address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("--user", help="name of a user of the admin")
        parser.add_argument("--address", help="IP address")

    def handle(self, *args: Any, user: str | None, address: str | None, **options: Any) -> None:
        """Forget the failures."""
        if not (user or address):
            raise CommandError("Name a --user or an --address.")
        if user:
            throttle.unlock(user=user)
        if address:
            throttle.unlock(address=address)
        self.stdout.write("Unlocked.")
