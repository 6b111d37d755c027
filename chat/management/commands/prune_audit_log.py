"""`manage.py prune_audit_log`: delete entries that are older than AUDIT_RETENTION_DAYS."""

from typing import Any

from django.core.management.base import BaseCommand

from chat.accounts import audit


class Command(BaseCommand):
    help = "Delete entries of the audit log and of the admin's history that are too old."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them."""
        self.stdout.write(f"Deleted {audit.prune()} entries.")
