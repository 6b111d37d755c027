"""`manage.py enroll_otp USER`: create a user's second factor, or remove it."""

from argparse import ArgumentParser
from base64 import b32encode
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from chat.accounts import second_factor


class Command(BaseCommand):
    help = "Create a user's second factor and print its secret once; replaces an earlier one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the arguments."""
        parser.add_argument("user", help="name of a user of the admin")
        parser.add_argument("--remove", action="store_true", help="only remove the second factor")

    def handle(self, *args: Any, user: str, remove: bool, **options: Any) -> None:
        """Print the secret, for an authenticator app."""
        users = get_user_model()
        try:
            found = users._default_manager.get(**{users.USERNAME_FIELD: user})
        except users.DoesNotExist:
            raise CommandError(f"There is no user {user}.") from None
        if remove:
            second_factor.remove(found)
            self.stdout.write("Removed.")
            return
        device = second_factor.enroll(found)
        self.stdout.write("Enter one of these into an authenticator app. They are not shown again.")
        self.stdout.write(f"Secret: {b32encode(device.bin_key).decode()}")
        self.stdout.write(f"Address: {device.config_url}")
