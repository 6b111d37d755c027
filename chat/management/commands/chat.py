"""`manage.py chat`: talk in the terminal, or send lines through a pipe."""

import asyncio
import getpass
import json
import os
import sys
from argparse import ArgumentParser
from typing import Any
from urllib.error import HTTPError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.management.color import supports_color
from django.utils.termcolors import make_style

from chat.cli.chat_client import ChatClient, begin_session
from chat.cli.interactive import InteractiveChat
from chat.cli.lines import lines_of
from chat.cli.pipe import PipedChat

STYLES = {
    "prompt": make_style(fg="cyan", opts=("bold",)),
    "bot": make_style(fg="green", opts=("bold",)),
    "note": make_style(fg="yellow"),
}
INTERRUPTED = 130


class Command(BaseCommand):
    help = "Talk to the chat server. In a pipe every line is a message and every reply a line."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="the server's address (default: %(default)s)",
        )
        parser.add_argument("--name", help="your name in a new session (default: your login)")
        parser.add_argument("--token", help="the token of a session to go on with")

    def handle(self, *args: Any, **options: Any) -> None:
        url = options["url"].rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise CommandError("--url is an address such as http://127.0.0.1:3500")
        token = options["token"] or begin(url, options["name"] or login_name())
        try:
            asyncio.run(self._talk(url, token, colours=not options["no_color"]))
        except BrokenPipeError:
            # The reader has seen enough; the interpreter's own last flush must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except ConnectionError as error:
            raise CommandError(str(error) or "The server closed the conversation.") from error
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        if sys.stdin.isatty() and not options["token"]:
            self.stderr.write(f"Go on with: python manage.py chat --url {url} --token {token}")

    async def _talk(self, url: str, token: str, *, colours: bool) -> None:
        async with ChatClient(url, token) as client:
            if sys.stdin.isatty():
                painted = colours and supports_color()
                await InteractiveChat(client, sys.stdout, paint if painted else plain).run(
                    lines_of(sys.stdin)
                )
                return
            pipe = PipedChat(client, sys.stdout, sys.stderr)
            await pipe.run(lines_of(sys.stdin))
        if pipe.failures:
            raise CommandError(f"{pipe.failures} of the messages got no reply.")


def paint(kind: str, text: str) -> str:
    return STYLES[kind](text)


def plain(kind: str, text: str) -> str:
    return text


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "Terminal"


def begin(url: str, name: str) -> str:
    """Return a new session's token; raises CommandError with what the server says."""
    try:
        return begin_session(url, name)
    except HTTPError as error:
        raise CommandError(f"{url} refuses: {what_it_says(error)}") from error
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(
            f"No chat server answers at {url}. Start one with `make run`, or name it with --url."
        ) from error


def what_it_says(error: HTTPError) -> str:
    try:
        detail = json.load(error)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
    return str(detail["msg"] if isinstance(detail, dict) else detail)
