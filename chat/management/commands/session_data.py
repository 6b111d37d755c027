"""`manage.py session_data`: tell, export or erase what is stored about a session."""

import getpass
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.accounts import audit
from chat.container import store
from chat.errors import StoreUnavailable
from chat.operator.actions import ACTIONS, apply
from chat.operator.conditions import ID
from chat.privacy.dossier import load_dossier
from chat.privacy.retention import kept_data
from chat.schemas import parse_uuid, session_id

DELETE = next(action for action in ACTIONS if action.name == "delete")


class Command(BaseCommand):
    help = "Export or erase everything about a session, or tell what is stored for how long."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("action", choices=("export", "erase", "retention"))
        parser.add_argument("--id", help="ID of the session; without it, the token is asked for")

    def handle(self, *args: Any, action: str, id: str | None, **options: Any) -> None:
        """Do it, and record it in the audit log."""
        if action == "retention":
            self._tell()
            return
        session = id or self._session_of_token()
        if not ID.fullmatch(session):
            raise CommandError("An ID has 32 digits from 0 to f.")
        try:
            self._export(session) if action == "export" else self._erase(session)
        except StoreUnavailable as error:
            raise CommandError("Redis is unavailable.") from error

    def _session_of_token(self) -> str:
        """Ask for a token: as an argument, it would be in the shell's history."""
        try:
            return session_id(str(parse_uuid(getpass.getpass("Token: ").strip())))
        except ValueError as error:
            raise CommandError("This is no token.") from error

    def _export(self, session: str) -> None:
        dossier = load_dossier(store(), session)
        if dossier is None:
            raise CommandError("Nothing is stored about this session.")
        audit.write(_user(), "", audit.Action.EXPORTED, [session], "Exported everything")
        self.stdout.write(json.dumps(dossier, ensure_ascii=False, indent=2))

    def _erase(self, session: str) -> None:
        if not apply(DELETE, session):
            raise CommandError("This session does not exist: it expired or was deleted.")
        audit.write(_user(), "", audit.Action.DELETED, [session], DELETE.done)
        self.stdout.write("Deleted. Redis' files follow; backups contain it as long as they exist.")

    def _tell(self) -> None:
        for kept in kept_data():
            self.stdout.write(f"{kept.what}\n  where: {kept.where}\n  how long: {kept.how_long}")
            self.stdout.write(f"  erased with the session: {kept.erased}")


def _user() -> str:
    return f"{getpass.getuser()} (shell)"
