"""`manage.py chat`: chat in a terminal, or send lines through a pipe."""

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

from chat.cli.chat_client import ChatClient, create_session
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
    help = "Chat in the terminal. In a pipe, each line is a message and each reply is a line."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=f"http://127.0.0.1:{settings.PORT}",
            help="the site's address (default: %(default)s)",
        )
        parser.add_argument("--name", help="your name in a new session (default: your login)")
        parser.add_argument("--token", help="the token of a session to continue")
        parser.add_argument("--model", help="the model that replies, if the server has several")

    def handle(self, *args: Any, **options: Any) -> None:
        url = options["url"].rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise CommandError("--url must be an address such as http://127.0.0.1:3500")
        token = options["token"] or new_token(url, options["name"] or login_name())
        try:
            colours = not options["no_color"]
            asyncio.run(self._talk(url, token, options["model"], colours=colours))
        except BrokenPipeError:
            # The reader closed the pipe: do not let the interpreter's last flush fail as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except ConnectionError as error:
            raise CommandError(str(error) or "The server closed the connection.") from error
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        if sys.stdin.isatty() and not options["token"]:
            self.stdout.write(
                f"To continue this conversation: python manage.py chat --url {url} --token {token}"
            )

    async def _talk(self, url: str, token: str, model: str | None, *, colours: bool) -> None:
        async with ChatClient(url, token, model) as client:
            if sys.stdin.isatty():
                style = paint if colours and supports_color() else plain
                await InteractiveChat(client, sys.stdout, style).run(lines_of(sys.stdin))
                return
            pipe = PipedChat(client, sys.stdout, sys.stderr)
            await pipe.run(lines_of(sys.stdin))
        if pipe.failures:
            raise CommandError(f"Messages without a reply: {pipe.failures}.")


def paint(kind: str, text: str) -> str:
    return STYLES[kind](text)


def plain(kind: str, text: str) -> str:
    return text


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "Terminal"


def new_token(url: str, name: str) -> str:
    """Begin a session and return its token; raises CommandError."""
    try:
        return create_session(url, name)
    except HTTPError as error:
        raise CommandError(f"{url} rejected a new session: {error_detail(error)}") from error
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(
            f"No chat server responds at {url}. Start one with `make run`, or set --url."
        ) from error


def error_detail(error: HTTPError) -> str:
    try:
        detail = json.load(error)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
    return str(detail["msg"] if isinstance(detail, dict) else detail)
