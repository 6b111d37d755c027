"""`manage.py copy_sessions`: copy all sessions from another Redis to the one of REDIS_URL."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chat.container import store
from chat.errors import StoreFull, StoreUnavailable
from chat.store.client import Store
from chat.store.operation import cluster
from chat.store.operation.transfer import Progress, copy_sessions
from chat.store.redis_cluster.stores import open_store

CONNECTIONS = 4


class Command(BaseCommand):
    help = "Copy all sessions from another Redis to that of REDIS_URL. Stop the chat before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the argument."""
        parser.add_argument(
            "source", nargs="?", help="address to copy from; without it, it is asked for"
        )

    def handle(self, *args: Any, source: str | None, **options: Any) -> None:
        """Copy, compare, and print the counts."""
        url = source or getpass.getpass("Address to copy from: ").strip()
        progress = Progress()
        try:
            # Encrypted connections use the same authorities as those to REDIS_URL.
            tls = settings.REDIS_TLS[settings.REDIS_URL] if url.startswith("rediss") else {}
            opened = open_store(url, CONNECTIONS, tls)
            for each, name in ((opened, "the source"), (store(), "REDIS_URL")):
                require_stopped(each, name)
            for progress in copy_sessions(opened, store()):
                self.stdout.write(summary(progress), ending="\r")
        except ValueError as error:  # its text may contain a part of the password
            raise CommandError("The address to copy from is not valid.") from error
        except StoreFull as error:
            raise CommandError("The Redis of REDIS_URL is full.") from error
        except StoreUnavailable as error:
            raise CommandError("Redis does not respond. Run the command again.") from error
        self.stdout.write(summary(progress))
        if progress.different:
            raise CommandError("Some copies differ from their sessions. Run the command again.")


def require_stopped(store: Store, name: str) -> None:
    """Raise CommandError if workers run: sessions would change while they are copied."""
    if workers := store.run(cluster.load()).alive:
        raise CommandError(f"The chat runs on {name}: stop it first ({', '.join(workers)}).")


def summary(progress: Progress) -> str:
    """Return the counts as a sentence."""
    counts = (
        f"{progress.copied:,} sessions copied",
        f"{progress.unchanged:,} were there already",
        f"{progress.expired:,} expired meanwhile",
        f"{progress.different:,} differ" if progress.different else "",
    )
    return ", ".join(filter(None, counts)) + "."
