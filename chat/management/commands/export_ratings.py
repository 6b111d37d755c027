"""`manage.py export_ratings`: rated replies as training data, without names."""

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.accounts import audit
from chat.container import store
from chat.errors import SessionUnknown, StoreUnavailable
from chat.operator.export import kto_examples, message_examples
from chat.operator.session_search import rated_sessions
from chat.store import sessions
from chat.store.sessions import ALL_MESSAGES

FORMATS = {"kto": kto_examples, "messages": message_examples}


class Command(BaseCommand):
    help = "Print rated replies with the conversations before them, as JSON lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default="kto",
            help="kto: prompt, completion and label; messages: only replies rated as good",
        )

    def handle(self, *args: Any, format: str, **options: Any) -> None:
        """Print the lines, and record the export in the audit log."""
        exported = []
        try:
            for session in rated_sessions(store()):
                exported.append(session)
                for example in self._examples(format, session):
                    self.stdout.write(json.dumps(example, ensure_ascii=False))
        except StoreUnavailable as error:
            raise CommandError("Redis is unavailable.") from error
        finally:
            if exported:
                user = f"{getpass.getuser()} (shell)"
                audit.write(user, "", audit.Action.EXPORTED, exported, "Exported ratings")
        print(f"{len(exported)} sessions", file=sys.stderr)

    def _examples(self, format: str, session: str) -> list[dict[str, Any]]:
        try:
            loaded = store().run(sessions.load(session, page=ALL_MESSAGES))
        except SessionUnknown:  # it has expired meanwhile
            return []
        return list(FORMATS[format](loaded))
